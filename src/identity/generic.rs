//! What is nobody's own: addresses that many use, names that tools fill in, domains where anybody has an address.

/// Local parts of addresses that belong to a task and to no person, and names that tools fill in. Sorted.
const NOBODY: &[&str] = &[
    "abuse",
    "accounts",
    "admin",
    "administrator",
    "admins",
    "alerts",
    "all",
    "anon",
    "anonymous",
    "api",
    "app",
    "archive",
    "auto",
    "automation",
    "backup",
    "billing",
    "bot",
    "bugs",
    "build",
    "builder",
    "builds",
    "ci",
    "cloud",
    "code",
    "commit",
    "commits",
    "committer",
    "community",
    "company",
    "computer",
    "contact",
    "core",
    "cron",
    "cvs",
    "daemon",
    "debian",
    "default",
    "demo",
    "deploy",
    "deployer",
    "desktop",
    "dev",
    "devel",
    "developer",
    "developers",
    "development",
    "devnull",
    "devops",
    "docker",
    "donotreply",
    "email",
    "engineering",
    "example",
    "feedback",
    "firstlast",
    "firstname",
    "foo",
    "ghost",
    "git",
    "github",
    "gitlab",
    "group",
    "guest",
    "hello",
    "help",
    "helpdesk",
    "hi",
    "home",
    "host",
    "hostmaster",
    "hr",
    "inbox",
    "info",
    "infra",
    "invalid",
    "it",
    "jenkins",
    "jira",
    "job",
    "jobs",
    "lab",
    "laptop",
    "lastname",
    "linux",
    "list",
    "lists",
    "local",
    "localhost",
    "login",
    "mac",
    "macbook",
    "mail",
    "mailbox",
    "mailer",
    "mailerdaemon",
    "mailinglist",
    "maintainer",
    "maintainers",
    "marketing",
    "master",
    "me",
    "mirror",
    "misc",
    "my",
    "myemail",
    "myname",
    "name",
    "news",
    "newsletter",
    "nobody",
    "noemail",
    "nomail",
    "noname",
    "none",
    "noreplies",
    "noreply",
    "nospam",
    "notification",
    "notifications",
    "notify",
    "nouser",
    "null",
    "office",
    "opensource",
    "ops",
    "oss",
    "owner",
    "packager",
    "patch",
    "patches",
    "pc",
    "pi",
    "postmaster",
    "private",
    "project",
    "public",
    "qa",
    "register",
    "release",
    "releases",
    "reply",
    "root",
    "sales",
    "security",
    "server",
    "service",
    "shared",
    "software",
    "source",
    "spam",
    "src",
    "staff",
    "student",
    "subscriptions",
    "support",
    "svn",
    "sysadmin",
    "sysop",
    "system",
    "team",
    "tech",
    "temp",
    "test",
    "tester",
    "testing",
    "tests",
    "testuser",
    "tmp",
    "toor",
    "travis",
    "ubuntu",
    "undefined",
    "unknown",
    "usenet",
    "user",
    "username",
    "users",
    "vagrant",
    "version",
    "web",
    "webmaster",
    "windows",
    "work",
    "workstation",
    "www",
    "you",
    "youremail",
    "yourname",
    "yourusername",
];

/// Where anybody can have an address, so that a common domain says nothing. Sorted.
const PUBLIC: &[&str] = &[
    "126.com",
    "139.com",
    "163.com",
    "21cn.com",
    "aim.com",
    "aliyun.com",
    "aol.com",
    "att.net",
    "bigpond.com",
    "bk.ru",
    "bol.com.br",
    "btinternet.com",
    "comcast.net",
    "cox.net",
    "duck.com",
    "email.com",
    "fastmail.com",
    "fastmail.fm",
    "foxmail.com",
    "free.fr",
    "freenet.de",
    "gmail.com",
    "gmx.at",
    "gmx.ch",
    "gmx.com",
    "gmx.de",
    "gmx.net",
    "googlemail.com",
    "hanmail.net",
    "hey.com",
    "hotmail.co.uk",
    "hotmail.com",
    "hotmail.de",
    "hotmail.fr",
    "hotmail.it",
    "hushmail.com",
    "icloud.com",
    "inbox.com",
    "inbox.ru",
    "interia.pl",
    "laposte.net",
    "libero.it",
    "list.ru",
    "live.cn",
    "live.com",
    "live.fr",
    "live.nl",
    "mac.com",
    "mail.com",
    "mail.de",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "o2.pl",
    "op.pl",
    "orange.fr",
    "outlook.com",
    "outlook.de",
    "outlook.fr",
    "pm.me",
    "posteo.de",
    "posteo.net",
    "proton.me",
    "protonmail.ch",
    "protonmail.com",
    "qq.com",
    "rambler.ru",
    "rediffmail.com",
    "riseup.net",
    "rocketmail.com",
    "sbcglobal.net",
    "seznam.cz",
    "sina.cn",
    "sina.com",
    "sohu.com",
    "t-online.de",
    "tuta.io",
    "tutanota.com",
    "ukr.net",
    "verizon.net",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "ya.ru",
    "yahoo.ca",
    "yahoo.co.in",
    "yahoo.co.jp",
    "yahoo.co.uk",
    "yahoo.com",
    "yahoo.com.au",
    "yahoo.com.br",
    "yahoo.com.cn",
    "yahoo.de",
    "yahoo.es",
    "yahoo.fr",
    "yahoo.in",
    "yahoo.it",
    "yandex.com",
    "yandex.ru",
    "yeah.net",
    "ymail.com",
    "zoho.com",
];

/// Words that stand in a name and are none of it. Sorted.
const TITLES: &[&str] = &["dipl", "dr", "esq", "ing", "jr", "mr", "mrs", "ms", "phd", "prof", "sir", "sr"];

/// Labels that stand under a country's where elsewhere an organisation's name stands. Sorted.
const SECOND_LEVEL: &[&str] = &["ac", "co", "com", "edu", "go", "gov", "ne", "net", "or", "org"];

/// Whether `handle`, squeezed, is a task's or a machine's and no person's.
pub(super) fn is_nobody(handle: &str) -> bool {
    is_in(NOBODY, handle)
        || is_numbered(handle)
        || handle.is_empty()
        || handle.contains("noreply")
        || handle.contains("donotreply")
}

/// Whether `handle` is a task's with a number of up to three digits.
fn is_numbered(handle: &str) -> bool {
    let name = handle.trim_end_matches(|c: char| c.is_ascii_digit());
    handle.len() - name.len() < 4 && is_in(NOBODY, name)
}

/// Whether anybody can have an address at `domain`.
pub(super) fn is_public(domain: &str) -> bool {
    is_in(PUBLIC, domain)
}

/// Whether `word` is a title.
pub(super) fn is_title(word: &str) -> bool {
    is_in(TITLES, word)
}

/// Whether `domain` is one that only one machine knows, or is none, so that an address there is not one in the world.
pub(super) fn is_machine(domain: &str) -> bool {
    let last = domain.rsplit('.').next().unwrap_or(domain);
    !domain.contains('.')
        || matches!(
            last,
            "local" | "localdomain" | "localhost" | "lan" | "home" | "internal" | "site" | "domain" | "invalid"
        )
        || last.contains("none")
        || last.chars().all(|c| c.is_ascii_digit())
        || domain.chars().any(|c| !(c.is_alphanumeric() || matches!(c, '.' | '-')))
        || matches!(domain, "example.com" | "example.org" | "example.net")
}

/// The part of `domain` that its owner chose: `corp` of `mail.corp.co.uk`.
pub(super) fn label(domain: &str) -> &str {
    let mut labels = domain.rsplit('.');
    let (last, second) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
    if last.len() == 2 && is_in(SECOND_LEVEL, second) { labels.next().unwrap_or(second) } else { second }
}

/// The domain as somebody registered it: `corp.co.uk` of `mail.corp.co.uk`.
pub(super) fn registered(domain: &str) -> &str {
    let label = label(domain);
    if label.is_empty() {
        return domain;
    }
    let end = domain.len();
    // Of the labels from the right, the first that is the label.
    let mut at = end;
    for part in domain.rsplit('.') {
        at -= part.len();
        if part == label && at != end - part.len() {
            return &domain[at..];
        }
        at = at.saturating_sub(1);
    }
    domain
}

fn is_in(list: &[&str], text: &str) -> bool {
    list.binary_search(&text).is_ok()
}

/// Whether every list is in order, which searching it takes.
#[cfg(test)]
pub(super) fn are_sorted() -> bool {
    [NOBODY, PUBLIC, TITLES, SECOND_LEVEL].iter().all(|list| list.is_sorted())
}
