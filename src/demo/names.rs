//! Names of many languages and scripts, each with its spelling in Latin letters. They are combined from pieces made up
//! for this; that somebody is called so would be chance.

use super::random::{place, shuffled};

/// The names of one language, out of every hundred users.
struct Language {
    /// How many of a hundred users have such a name.
    share: u64,
    /// The city where most of them work.
    city: &'static str,
    /// The pieces of a given name, one list after the other.
    given: &'static [&'static str],
    /// The pieces of a family name.
    family: &'static [&'static str],
    /// What stands between given and family name.
    between: &'static str,
    order: Order,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// The given name first; whose name others have, too, uses an initial.
    GivenWithInitial,
    /// The given name first.
    Given,
    /// The family name first.
    Family,
}

/// The stems that two lists of family names share.
const GREEK: &str = "Βασιλ:vasil Γιανν:giann Δημητρ:dimitr Κωστ:kost Νικολ:nikol Παναγ:panag Σταυρ:stavr Χρηστ:christ";

/// Every list is of pieces between blanks: the piece, and after `:` its Latin spelling where that is not just the same
/// in lower case; `_` stands for a blank.
const LANGUAGES: [Language; 16] = [
    Language {
        share: 18,
        city: "London",
        given: &[
            "Ada Amber Basil Bryony Callum Clara Dexter Eden Ellis Fern Gideon Hazel Iris Jasper Juno Keir Linnet \
                  Maeve Nell Orla Piers Quentin Rowan Sable Tamsin Una Vesper Wren",
        ],
        family: &[
            "Ash Black Brook Cold Cran Elder Fair Gold Green Hart Heron Lang Mer North Red Stan Thorn Wether White Win",
            "berry combe field ford ham ley more ridge shaw ton well worth",
        ],
        between: " ",
        order: Order::GivenWithInitial,
    },
    Language {
        share: 9,
        city: "Berlin",
        given: &["Jürgen:juergen Käthe:kaethe Björn:bjoern Günter:guenter Anneliese Dörte:doerte Falk Gesine Heiko \
                  Ilse Jörg:joerg Lüder:lueder Mareike Ottilie Rüdiger:ruediger Sönke:soenke Tjark Ute Wiebke Zoë:zoe"],
        family: &[
            "Birken Eichen Grün:gruen Hirsch Löwen:loewen Mühl:muehl Rosen Schön:schoen Stein Wester",
            "bach berger brück:brueck feld groß:gross hain mann thal",
        ],
        between: " ",
        order: Order::GivenWithInitial,
    },
    Language {
        share: 6,
        city: "Stockholm",
        given: &["Åsa:asa Ängla:angla Östen:osten Göran:goran Håkan:hakan Märta:marta Signe Torbjörn:torbjorn Ylva \
                  Sixten Ebba Måns:mans Siv Örjan:orjan Viveka Algot"],
        family: &[
            "Berg Dal Ek Gran Hög:hog Lind Lund Ny Sand Sjö:sjo Strand Ö:o",
            "blad blom gren holm kvist man mark ström:strom",
        ],
        between: " ",
        order: Order::GivenWithInitial,
    },
    Language {
        share: 6,
        city: "Warsaw",
        given: &["Łucja:lucja Świętosław:swietoslaw Żaneta:zaneta Bożena:bozena Grażyna:grazyna Jędrzej:jedrzej \
                  Kazimierz Małgorzata:malgorzata Mściwój:msciwoj Ścibor:scibor Wiesława:wieslawa Zdzisław:zdzislaw \
                  Bogumił:bogumil Dobrosława:dobroslawa"],
        family: &[
            "Brzoz Dąbr:dabr Gał:gal Jawor Kłos:klos Lip Łos:los Mróz:mroz Wierzb Źródl:zrodl",
            "ak ciak czak ewicz ik owicz",
        ],
        between: " ",
        order: Order::GivenWithInitial,
    },
    Language {
        share: 8,
        city: "Madrid",
        given: &["Íñigo:inigo Ángeles:angeles Begoña:begona Ramón:ramon Inés:ines Nuño:nuno Lucía:lucia Óscar:oscar \
                  Úrsula:ursula Belén:belen Gonzalo Ximena Martín:martin Pilar Álvaro:alvaro Rocío:rocio"],
        family: &[
            "Peña:pena Núñez:nunez Ibáñez:ibanez Muñiz:muniz Cordón:cordon Larrea Quiñones:quinones Salcedo \
             Tordesillas Ugarte",
            "_Arce:arce _Bedoya:bedoya _Cifuentes:cifuentes _Doñate:donate _Egea:egea _Frías:frias _Galán:galan \
             _Hoyos:hoyos",
        ],
        between: " ",
        order: Order::GivenWithInitial,
    },
    Language {
        share: 5,
        city: "Istanbul",
        given: &["İpek:ipek Işıl:isil Çağlar:caglar Gülşen:gulsen Özgür:ozgur Şebnem:sebnem Ülkü:ulku Yiğit:yigit \
                  Doğan:dogan Ayça:ayca Tuğba:tugba Nazlı:nazli"],
        family: &[
            "Ak Altın:altin Çelik:celik Demir Gök:gok Güneş:gunes Kaya Taş:tas Yıldız:yildiz Öz:oz",
            "er oğlu:oglu soy türk:turk yürek:yurek",
        ],
        between: " ",
        order: Order::GivenWithInitial,
    },
    Language {
        share: 5,
        city: "Hanoi",
        given: &["Ánh:anh Bảo:bao Cường:cuong Dũng:dung Hạnh:hanh Lộc:loc Mỹ:my Nguyệt:nguyet Phượng:phuong \
                  Quỳnh:quynh Sương:suong Tú:tu"],
        family: &[
            "Đặng:dang Lương:luong Phùng:phung Tạ:ta Vương:vuong Bùi:bui Đỗ:do Hồ:ho Lý:ly Mạc:mac",
            "_Thị:thi _Văn:van _Ngọc:ngoc _Đức:duc _Hữu:huu _Khánh:khanh",
        ],
        between: " ",
        order: Order::Family,
    },
    Language {
        share: 3,
        city: "Lagos",
        given: &["Adébáyọ̀:adebayo Ọláwálé:olawale Fọlákẹ́:folake Yétúndé:yetunde Ṣadé:sade Kẹ́hìndé:kehinde \
                  Táíwò:taiwo Àbẹ̀ní:abeni"],
        family: &[
            "Ade Ọla:ola Ogun Oye Ifá:ifa Olú:olu Akin",
            "bánjọ:banjo délé:dele ṣọlá:shola wùmí:wumi yẹmí:yemi kúnlé:kunle",
        ],
        between: " ",
        order: Order::Given,
    },
    Language {
        share: 8,
        city: "Kyiv",
        given: &["Зоряна:zoriana Мирон:myron Орися:orysia Ярема:yarema Любомир:liubomyr Стефанія:stefaniia \
                  Устим:ustym Ґражина:grazhyna Богуслав:bohuslav Дзвінка:dzvinka Ладо:lado Юстина:yustyna \
                  Тимофій:tymofii Влада:vlada"],
        family: &[
            "Бондар:bondar Гончар:honchar Кравч:kravch Лисак:lysak Марч:march Петр:petr Римар:rymar \
             Стельмах:stelmakh Швец:shvets Яворів:yavoriv",
            "енко:enko ук:uk чак:chak ило:ylo",
        ],
        between: " ",
        order: Order::Given,
    },
    Language {
        share: 3,
        city: "Athens",
        given: &["Ασπασία:aspasia Δάφνη:dafni Ευρυδίκη:evrydiki Καλλιρρόη:kallirroi Μελπομένη:melpomeni \
                  Ξανθίππη:xanthippi Πηνελόπη:pinelopi Χλόη:chloi"],
        family: &[GREEK, "άκη:aki ίδου:idou οπούλου:opoulou"],
        between: " ",
        order: Order::Given,
    },
    Language {
        share: 3,
        city: "Athens",
        given: &["Αλκίνοος:alkinoos Βρασίδας:vrasidas Θησέας:thiseas Ιάσονας:iasonas Λεωνίδας:leonidas \
                  Ορέστης:orestis Φοίβος:foivos Ωρίωνας:orionas"],
        family: &[GREEK, "άκης:akis ίδης:idis όπουλος:opoulos"],
        between: " ",
        order: Order::Given,
    },
    Language {
        share: 9,
        city: "Taipei",
        given: &[
            "文:wen 雅:ya 志:chih 淑:shu 俊:chun 佳:chia 承:cheng 品:pin 宇:yu 思:ssu 怡:yi 柏:po",
            "安:an 華:hua 明:ming 君:chun 傑:chieh 芳:fang 軒:hsuan 凱:kai 玲:ling 翰:han 庭:ting 恩:en",
        ],
        family: &["林:lin 陳:chen 黃:huang 吳:wu 許:hsu 鄭:cheng 謝:hsieh 郭:kuo 洪:hung 邱:chiu 曾:tseng 廖:liao"],
        between: "",
        order: Order::Family,
    },
    Language {
        share: 5,
        city: "Osaka",
        given: &["さくら:sakura ひなた:hinata みずき:mizuki アキラ:akira ナオミ:naomi ユウキ:yuki はるか:haruka \
                  カエデ:kaede しおり:shiori ツバサ:tsubasa"],
        family: &[
            "山:yama 石:ishi 川:kawa 松:matsu 竹:take 森:mori 藤:fuji 西:nishi 大:oo 北:kita",
            "田:da 本:moto 原:hara 井:i 野:no 島:shima 村:mura 岡:oka",
        ],
        between: " ",
        order: Order::Family,
    },
    Language {
        share: 4,
        city: "Seoul",
        given: &[
            "가:ga 나:na 다:da 도:do 민:min 서:seo 소:so 수:su 지:ji 하:ha",
            "람:ram 린:rin 솔:sol 온:on 윤:yun 은:eun 준:jun 진:jin 현:hyun",
        ],
        family: &["김:kim 남:nam 류:ryu 문:moon 배:bae 심:shim 양:yang 오:oh 윤:yoon 한:han"],
        between: "",
        order: Order::Family,
    },
    Language {
        share: 4,
        city: "Amman",
        given: &[
            "أسيل:aseel بدر:badr تالا:tala جواد:jawad دانة:dana راكان:rakan زينة:zeina سلمى:salma طارق:tareq \
             غيث:ghaith لينا:lina مازن:mazen",
            "_أمين:ameen _حسن:hasan _خليل:khalil _رشيد:rasheed _سامي:sami _عادل:adel",
        ],
        family: &["البحري:albahri الحداد:alhaddad الخياط:alkhayyat الزيتوني:alzaytouni الصباغ:alsabbagh \
                   القصير:alqaseer الفارس:alfares النجار:alnajjar الوردي:alwardi الياسمين:alyasmin"],
        between: " ",
        order: Order::Given,
    },
    Language {
        share: 4,
        city: "Pune",
        given: &["अनन्या:ananya आरव:aarav ईशा:isha कबीर:kabir चित्रा:chitra तन्मय:tanmay दीया:diya नंदिनी:nandini \
                  पल्लवी:pallavi रोहन:rohan विहान:vihaan श्रेया:shreya"],
        family: &[
            "नगर:nagar सात:sat बोर:bor चांद:chand मोर:mor वाड:wad खेड:khed देव:dev",
            "कर:kar गावकर:gaonkar वाडकर:wadkar",
        ],
        between: " ",
        order: Order::Given,
    },
];

/// The letters of initials.
const INITIALS: &[u8; 20] = b"ABCDEFGHIJKLMNOPRSTV";

/// All cities, in the order of their languages.
pub(super) fn cities() -> Vec<&'static str> {
    let mut cities: Vec<&str> = LANGUAGES.iter().map(|language| language.city).collect();
    cities.dedup();
    cities
}

/// A name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// As people write it.
    pub(super) native: String,
    /// The given name in small Latin letters.
    pub(super) given: String,
    /// The family name in small Latin letters, and a number where others have the same name; both together are
    /// nobody else's.
    pub(super) family: String,
    /// The city where people with such names mostly work.
    pub(super) city: &'static str,
}

/// A piece of a name, and its Latin spelling.
struct Piece {
    native: String,
    latin: String,
}

/// The lists of pieces of one language.
struct Pieces {
    given: Vec<Vec<Piece>>,
    family: Vec<Vec<Piece>>,
}

/// The names of all users.
pub(super) struct Names {
    languages: Vec<Pieces>,
}

impl Names {
    pub(super) fn new() -> Self {
        let lists = |lists: &[&str]| lists.iter().map(|list| pieces(list)).collect();
        let languages = LANGUAGES
            .iter()
            .map(|language| Pieces { given: lists(language.given), family: lists(language.family) })
            .collect();
        Self { languages }
    }

    /// The name of the user whose turn it is at `turn`; different turns have different names in Latin letters.
    pub(super) fn at(&self, turn: u64, seed: u64) -> Name {
        // Steps of 37 visit all of a hundred, and different languages from the first steps on.
        let mut slot = turn * 37 % 100;
        let mut number = 0;
        while slot >= LANGUAGES[number].share {
            slot -= LANGUAGES[number].share;
            number += 1;
        }
        self.of_language(number, turn / 100 * LANGUAGES[number].share + slot, seed)
    }

    /// The name number `nth` of a language: first all combinations, in any order, then all again with a number.
    fn of_language(&self, number: usize, nth: u64, seed: u64) -> Name {
        let (language, pieces) = (&LANGUAGES[number], &self.languages[number]);
        let count = pieces.count();
        let repeat = nth / count;
        let topic = 1_000 + number as u64;
        let mut rest = shuffled(seed, topic, nth % count, count);
        let mut spell = |lists: &[Vec<Piece>]| {
            let (mut native, mut latin) = (String::new(), String::new());
            for list in lists {
                let piece = &list[place(rest % list.len() as u64)];
                rest /= list.len() as u64;
                native.push_str(&piece.native);
                latin.push_str(&piece.latin);
            }
            (native, latin)
        };
        let (given, given_latin) = spell(&pieces.given);
        let (family, mut family_latin) = spell(&pieces.family);
        let between = language.between;
        let native = match language.order {
            Order::Family => format!("{family}{between}{given}"),
            Order::GivenWithInitial if repeat > 0 => {
                let initial = char::from(INITIALS[place((repeat - 1) % 20)]);
                format!("{given} {initial}.{between}{family}")
            }
            Order::Given | Order::GivenWithInitial => format!("{given}{between}{family}"),
        };
        if repeat > 0 {
            family_latin.push_str(&(repeat + 1).to_string());
        }
        Name { native, given: given_latin, family: family_latin, city: language.city }
    }
}

impl Pieces {
    /// How many names can be made of them.
    fn count(&self) -> u64 {
        self.given.iter().chain(&self.family).map(|list| list.len() as u64).product()
    }
}

fn pieces(list: &str) -> Vec<Piece> {
    let read = |piece: &str| match piece.split_once(':') {
        Some((native, latin)) => Piece { native: native.replace('_', " "), latin: latin.to_owned() },
        None => Piece { native: piece.to_owned(), latin: piece.to_ascii_lowercase() },
    };
    list.split_whitespace().map(read).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::value::nfc;

    #[test]
    fn every_combination_of_every_language_has_a_latin_spelling_of_its_own() {
        let names = Names::new();
        let mut seen = HashSet::new();
        for (number, language) in names.languages.iter().enumerate() {
            for nth in 0..language.count() * 2 {
                let name = names.of_language(number, nth, 7);
                let latin = format!("{}.{}", name.given, name.family);
                assert!(latin.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{latin}");
                assert_eq!(nfc(&name.native), name.native);
                assert!(seen.insert(latin), "{} is spelt like another", name.native);
            }
        }
        assert!(seen.len() > 30_000, "{}", seen.len());
    }

    #[test]
    fn of_a_hundred_names_each_language_has_its_share() {
        assert_eq!(LANGUAGES.iter().map(|language| language.share).sum::<u64>(), 100);
    }

    #[test]
    fn who_has_the_name_of_others_has_an_initial_and_a_number() {
        let names = Names::new();
        let count = names.languages[0].count();
        let (first, again) = (names.of_language(0, 0, 1), names.of_language(0, count, 1));
        assert_eq!(again.given, first.given);
        assert_eq!(again.family, format!("{}2", first.family));
        assert_eq!(again.native.replace(" A.", ""), first.native);
    }
}
