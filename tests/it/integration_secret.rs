//! Credentials: they reach their tool, and nothing else ever sees them.

use entity::integration_credential;
use roster::connector::Policy;
use roster::directory::{Connectors, IntegrationChange, Keys, NewCredential, RunOptions, Secret, UndoOptions};
use sea_orm::EntityTrait;
use serde_json::{Value as Json, json};

use crate::integration_run::{KEY, SECRET, connect, connecting, run};
use crate::support::{
    Server, Site, Tool, ended, export, in_each_home, me, on_each, run_sql, tables, tool_user, violations,
};

/// Another key.
const OTHER: &str = "//////////////////////////////////////////8=";

/// Whether the last request that came had this secret.
#[track_caller]
fn was_sent(tool: &Tool, secret: &str) {
    let requests = tool.requests();
    let last = requests.last().unwrap();
    assert!(last.contains(secret), "{last}");
}

#[test]
fn a_stored_secret_reaches_its_tool_and_stands_nowhere_else() {
    in_each_home(|home| {
        let tool = Tool::new(vec![tool_user(1, "ann", "ann@corp.example")]);
        let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--connector-allow", "127.0.0.1"]);
        let log = home.path("log");
        command.env("ROSTER_SECRET_KEY", KEY).env("ROSTER_LOG", "trace").env("ROSTER_LOG_FORMAT", "json");
        let server = crate::support::Served::start_logging(command, &log);
        let create = "mutation($settings: JSON!, $secret: String!) { createIntegration(input: { kind: GITLAB, name: \"Tool\",
            settings: $settings, credential: { secret: $secret } }) { integration { id settings credential { source } } } }";
        let variables = json!({ "settings": tool.settings(), "secret": format!(" {SECRET}\n") });
        let mut told = vec![server.ask(create, variables).to_string()];
        let id = serde_json::from_str::<Json>(&told[0]).unwrap()["createIntegration"]["integration"]["id"].clone();
        let wrong = "mutation($id: ID!, $secret: String!) { updateIntegration(input: { id: $id, scheduleMinutes: 1,
            credential: { secret: $secret } }) { version } }";
        let wrong = server.operation(wrong, json!({ "id": id, "secret": SECRET }));
        told.push(server.refusal(&wrong).to_string());
        let wrong =
            "mutation($id: ID!, $secret: String!) { updateIntegration(input: { id: $id, credential: $secret }) {
            version } }";
        told.push(server.refusal(&server.operation(wrong, json!({ "id": id, "secret": SECRET }))).to_string());
        let wrong = "mutation($id: ID!, $credential: IntegrationCredentialInput!) { updateIntegration(input: { id: $id,
            credential: $credential }) { version } }";
        for credential in [
            json!(SECRET),
            json!({ "secret": [SECRET] }),
            json!({ "secret": SECRET, "environment": SECRET }),
            json!({ "secrets": SECRET }),
        ] {
            let wrong = server.operation(wrong, json!({ "id": id, "credential": credential }));
            told.push(server.refusal(&wrong).to_string());
        }
        for credential in [format!("\"{SECRET}\""), format!("{{ secret: [\"{SECRET}\"] }}")] {
            let wrong = format!(
                "mutation {{ updateIntegration(input: {{ id: {id}, credential: {credential} }}) {{ version }} }}"
            );
            told.push(server.refusal(&server.operation(&wrong, Json::Null)).to_string());
        }
        for status in [401, 200] {
            tool.fails_with(status);
            let run = "mutation($id: ID!) { runIntegration(input: { id: $id }) { run { id } } }";
            told.push(server.ask(run, json!({ "id": id })).to_string());
            let show = "query($id: ID!) { node(id: $id) { ... on Integration { settings credential { source setBy setAt
                environment } lastRun { state message warnings { message } } } }
                changesets { edges { node { changes { edges { node { before after } } } } } } }";
            let shown = loop {
                let shown = server.ask(show, json!({ "id": id }));
                if matches!(shown["node"]["lastRun"]["state"].as_str(), Some("FAILED" | "SUCCEEDED")) {
                    break shown;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            };
            assert_eq!(shown["node"]["lastRun"]["state"], if status == 200 { "SUCCEEDED" } else { "FAILED" });
            told.push(shown.to_string());
        }
        was_sent(&tool, SECRET);
        told.push(server.download("/export/users.csv"));
        assert_eq!(server.stop().0, Some(0));
        told.push(std::fs::read_to_string(&log).unwrap());
        for text in &told {
            assert!(!text.contains(SECRET) && !text.contains("hush"), "{text}");
        }
        // Nor is it in any file: those of SQLite, or what the tables of PostgreSQL hold.
        for entry in std::fs::read_dir(home.data_dir()).unwrap().map(|entry| entry.unwrap().path()) {
            let bytes = if entry.is_file() { std::fs::read(&entry).unwrap() } else { Vec::new() };
            let found = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
            assert!(!found, "{}", entry.display());
        }
        if home.database_url().starts_with("postgres") {
            let looks = "UPDATE integration_credential SET set_by = set_by WHERE position('hush'::bytea IN sealed) > 0";
            assert_eq!(run_sql(&home.database_url(), looks), 0);
        }
        let is_sealed = "UPDATE integration_credential SET set_by = set_by WHERE length(sealed) = 12 + 26 + 16";
        assert_eq!((SECRET.len(), run_sql(&home.database_url(), is_sealed)), (26, 1), "as long as it has to be");
    });
}

#[test]
fn a_server_starts_with_another_key_and_says_whose_secrets_it_cannot_read() {
    in_each_home(|home| {
        let tool = Tool::new(vec![tool_user(1, "ann", "ann@corp.example")]);
        let serve = |keys: &str| {
            let mut command = home.command(&["serve", "--listen", "127.0.0.1:0", "--connector-allow", "127.0.0.1"]);
            command.env("ROSTER_SECRET_KEY", keys);
            crate::support::Served::start_logging(command, &home.path("log"))
        };
        let server = serve(KEY);
        let create = "mutation($settings: JSON!) { createIntegration(input: { kind: GITLAB, name: \"Tool\",
            settings: $settings, credential: { secret: \"hush\" } }) { integration { id } } }";
        server.ask(create, json!({ "settings": tool.settings() }));
        let shell = |keys: &str| {
            let mut command = home.command(&["run", "Tool"]);
            command.env("ROSTER_SECRET_KEY", keys).env("ROSTER_CONNECTOR_ALLOW", "127.0.0.1");
            let ended = ended(command, b"");
            (ended.code, ended.output)
        };
        let log = || std::fs::read_to_string(home.path("log")).unwrap();
        assert!(!log().contains("ROSTER_SECRET_KEY"), "{}", log());
        assert_eq!(server.stop().0, Some(0));
        for keys in [OTHER, ""] {
            assert_eq!(serve(keys).stop().0, Some(0));
            let says = "were encrypted with a key that is not in ROSTER_SECRET_KEY: Tool";
            assert!(log().contains(says), "{}", log());
            let says = "Tool: nothing was changed: the credential was encrypted with a key that the server does not have; \
                        add that key to ROSTER_SECRET_KEY, or set the credential again\n";
            assert_eq!(shell(keys), (Some(1), says.to_owned()));
        }
        // The new key first, the old one after it; from then on the new one is enough.
        assert_eq!(serve(&format!("{OTHER},{KEY}")).stop().0, Some(0));
        assert_eq!((shell(OTHER).0, shell(KEY).0), (Some(0), Some(1)));
        for (keys, says) in [("hush-hush", "key 1 is not base64"), (&format!("{KEY},aHVzaA=="), "key 2 has 4 bytes")] {
            let mut command = home.command(&["serve", "--listen", "127.0.0.1:0"]);
            command.env("ROSTER_SECRET_KEY", keys);
            let refused = ended(command, b"");
            let mend = "a key is 32 random bytes as base64, as `head -c 32 /dev/urandom | base64` prints them";
            let says = format!("roster: ROSTER_SECRET_KEY: {says}; {mend}\n");
            assert_eq!((refused.code, refused.error), (Some(2), says));
        }
    });
}

#[test]
fn a_secret_of_the_environment_is_read_when_it_is_used() {
    on_each(async |site: &Site| {
        let tool = Tool::new(Vec::new());
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        let set = async |credential| {
            let change = IntegrationChange { credential: Some(credential), ..IntegrationChange::default() };
            directory.update_integration(&me(), of, change).await.unwrap();
        };
        let version = directory.version();
        set(Some(NewCredential::Environment("ROSTER_CREDENTIAL_TOOL".into()))).await;
        run(&directory, of, None).await;
        was_sent(&tool, "from outside");
        set(Some(NewCredential::Environment("ROSTER_CREDENTIAL_OTHER".into()))).await;
        let failed = run(&directory, of, None).await.row.message.unwrap();
        let says = "the environment of the server that ran it has no variable ROSTER_CREDENTIAL_OTHER; set it, and start \
                    the server again";
        assert_eq!(failed, says);
        for (name, mend) in
            [("FOREIGN", "FOREIGN_HOST"), ("HOSTLESS", "HOSTLESS_HOST"), ("TOOL_HOST", "TOOL_HOST_HOST")]
        {
            let asked = tool.requests().len();
            set(Some(NewCredential::Environment(format!("ROSTER_CREDENTIAL_{name}")))).await;
            let failed = run(&directory, of, None).await.row.message.unwrap();
            let says = format!(
                "the environment of the server that ran it does not say that ROSTER_CREDENTIAL_{name} is for `127.0.0.1`; \
                 set ROSTER_CREDENTIAL_{mend} to that host if it is, and start the server again"
            );
            assert_eq!((failed, tool.requests().len()), (says, asked), "it is for another tool");
        }
        set(None).await;
        let error = directory.run_integration(&me(), of, RunOptions::default()).await.unwrap_err();
        assert_eq!(violations(&error), ["id: NOT_CONNECTED"]);
        assert!(directory.credentials_of(&[of]).await.unwrap().is_empty());
        assert_eq!(directory.version(), version, "credentials are no part of the log");
    });
}

#[test]
fn a_secret_is_never_sent_to_another_address_than_it_was_given_for() {
    on_each(async |site: &Site| {
        let (tool, thief) = (Tool::new(Vec::new()), Tool::new(Vec::new()));
        let directory = connecting(site, None);
        let of = connect(&directory, &thief, None).await;
        let change = async |settings: Json, credential: Option<&str>| {
            let credential = credential.map(|secret| Some(NewCredential::Secret(Secret::new(secret))));
            let change =
                IntegrationChange { settings: Some(Some(settings)), credential, ..IntegrationChange::default() };
            directory.update_integration(&me(), of, change).await
        };
        let error = change(tool.settings(), None).await.unwrap_err();
        assert_eq!(violations(&error), ["credential: REQUIRED"]);
        change(tool.settings(), Some("the real one")).await.unwrap();
        run(&directory, of, None).await;
        was_sent(&tool, "the real one");
        // An undo takes back the address, and not the secret.
        let options = UndoOptions { number: directory.version(), dry_run: false, skip_blocked: false };
        assert!(directory.undo_changeset(&me(), options).await.unwrap().applied);
        let failed = run(&directory, of, None).await.row.message.unwrap();
        let says =
            "the integration's kind or address has changed since its credential was set; set the credential again";
        assert_eq!((failed.as_str(), thief.requests()), (says, Vec::new()));
    });
}

#[test]
fn a_sealed_secret_that_is_moved_to_another_integration_does_not_open() {
    on_each(async |site: &Site| {
        let tool = Tool::new(Vec::new());
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        let transaction = site.database().begin_side_write().await.unwrap();
        let mut row = integration_credential::Entity::find().one(&transaction).await.unwrap().unwrap();
        integration_credential::Entity::delete_by_id(of).exec(&transaction).await.unwrap();
        site.database().commit(transaction).await.unwrap();
        let settings = roster::directory::IntegrationSetup { settings: Some(tool.settings()), ..Default::default() };
        let new = roster::directory::NewIntegration {
            kind: entity::integration::IntegrationKind::GitLab,
            name: "Another".into(),
        };
        let other = directory.connect_integration(&me(), new, settings).await.unwrap();
        row.integration_id = other;
        let transaction = site.database().begin_side_write().await.unwrap();
        let row = sea_orm::IntoActiveModel::into_active_model(row);
        integration_credential::Entity::insert(row).exec_without_returning(&transaction).await.unwrap();
        site.database().commit(transaction).await.unwrap();
        let failed = run(&directory, other, None).await.row.message.unwrap();
        assert_eq!(failed, "the stored credential has been damaged; set it again");
        assert!(tool.requests().is_empty());
        assert_eq!(directory.renew_credentials().await.unwrap(), ["Another"]);
    });
}

#[test]
fn no_table_log_export_or_debug_form_shows_a_secret() {
    on_each(async |site: &Site| {
        let tool = Tool::new(vec![tool_user(1, "ann", "ann@corp.example")]);
        let directory = connecting(site, None);
        let of = connect(&directory, &tool, None).await;
        run(&directory, of, None).await;
        let server = Server::new(&directory);
        let query = "{ integrations { name settings credential { source environment setAt setBy } } }";
        let reply = server.execute(query, json!({}), None).await;
        let credentials = format!("{:?}", directory.credentials_of(&[of]).await.unwrap());
        let new = format!("{:?}", NewCredential::Secret(Secret::new(SECRET)));
        let connectors = Connectors::new(Policy::default(), Keys::parse([KEY]).unwrap(), |_| None);
        drop(connectors);
        for text in [reply.body, credentials, new, tables(site).await, export(site).await] {
            assert!(!text.contains(SECRET) && !text.contains("hush"), "{text}");
        }
    });
}
