//! Given names and the short forms that people use in their place.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// Each line is forms of one name. Forms that only cut the name short (`Chris`, `Ben`) need not stand here.
const FORMS: &str = "
abigail abby gail
albert al bert bertie
alexander alex alec sandy sasha sascha alejandro alessandro aleksandr aleksander alexandr alexandre aleksandar oleksandr
alexandra alex sandra sasha alexa
alexey alexei aleksey aleksei alex alexis
alfred al fred alf
alphonse al
andrew andy drew andrei andrey andreas andre andres andrea anders andrzej andrii andriy
anne ann anna anya annie hannah
anthony tony antonio anton antoine antoni antony ant
arthur art artur
barbara barb
benjamin ben benny benji
bernard bernie
bradley brad
catherine cathy kate katie katherine kathy kathryn cat kat katarina katerina ekaterina katya kasia
charles charlie chuck chas carl carlos karl charly
christopher chris kit kris christoph christophe cristopher topher
christian chris kristian cristian
christina chris tina christine kristina kristin
daniel dan danny daniil danil daniele
david dave davey davy davide
deborah deb debbie debra
dmitry dima dmitri dmitrii dmitriy dimitri mitya dimitry
donald don donnie
dorothy dot dottie
douglas doug
edward ed eddie ted ned eduardo eduard edouard
elizabeth liz beth betty lisa eliza lizzie libby elisabeth
emily em
eric erik erick erich
eugene gene evgeny yevgeny evgeni evgenii evgeniy eugen
frances fran
francis frank fran francois francesco francisco paco pancho
frederick fred freddy frederik frederic fritz
gabriel gabe
george jorge georg georges giorgio yuri yury
gerald jerry gerry
geoffrey geoff jeff jeffrey
grigory grisha gregory greg grigori grzegorz
harold harry hal
henry hank harry hal heinrich henri henrik enrique
howard howie
igor ihor
isaac ike
ivan vanya john
jacob jake jakob jack jakub
jacqueline jackie
james jim jimmy jamie jaime jem
jennifer jen jenny
jessica jess jessie
joel jo
john jack johnny jon jonathan johnathan jonny johann johannes jan juan ian sean jean hans
joseph joe joey jose josef giuseppe pepe
joshua josh
judith judy
julian jules julien
katherine kate katie kathy kathryn catherine
kenneth ken kenny
konstantin kostya constantine konstantine kostyantyn
lawrence larry laurence laurent lorenzo lars
leonard leo len lenny leonardo
leslie les
lewis louis lou luis ludwig luigi
margaret maggie meg peggy greta marge rita
maria mary marie masha
mark marc marco marcos marcus markus marek
martin marty
matthew matt matthias mathias mathieu matthieu matteo mateusz mats matti
maxim max maksim maksym maxime maximilian
michael mike mick mickey mikhail michel miguel mikael michal michele misha mikhael micheal
nathaniel nate nathan nat
nicholas nick nicolas nikolai nikolay nico niko nicola nikolas nikolaus klaus
nikita nick
oleg oleh
oliver ollie olivier
pamela pam
patrick pat paddy patricio
patricia pat patty trish tricia
paul pavel pablo pawel paolo pavol
peter pete pierre pedro piotr petr pyotr petro pieter
philip phil phillip philipp philippe
rachel rachael
raymond ray
rebecca becky becca
richard rick rich dick ricky ricardo
robert bob rob bobby robbie roberto bert
roger rog
ronald ron ronnie
russell russ
samuel sam sammy
samantha sam sammy
sergey sergei serge serhii sergii sergiy serhiy sergio seryozha
stanislav stas stan
stephen steve steven stephan stefan stephane stefano esteban stevie
stephanie steph stefanie
susan sue susie suzanne
svyatoslav slava sviatoslav
theodore ted theo teddy
terence terry
thaddeus tad thad
thomas tom tommy tomas tomasz
timothy tim timmy timofey
tobias toby tobi
valery valera valerii valeriy
victor vic viktor vitya
victoria vicky vicki tori
vincent vince vinny vinnie vincenzo
vladimir vlad volodymyr vova wladimir
vyacheslav slava viacheslav
walter walt wally
william bill will willy billy liam willem guillermo wilhelm guillaume
yaroslav slava iaroslav jaroslav
zachary zach zack zac
";

/// The lines on which each form stands.
static LINES: LazyLock<FxHashMap<&str, Vec<usize>>> = LazyLock::new(|| {
    let mut lines: FxHashMap<&str, Vec<usize>> = FxHashMap::default();
    for (number, line) in FORMS.lines().enumerate() {
        for form in line.split_whitespace() {
            lines.entry(form).or_default().push(number);
        }
    }
    lines
});

/// Whether `a` and `b`, in lower case, are forms of one given name.
pub(super) fn are_forms_of_one(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (LINES.get(a), LINES.get(b)) else { return false };
    a.iter().any(|line| b.contains(line))
}

/// Whether `word`, in lower case, is a given name.
pub(super) fn is_given_name(word: &str) -> bool {
    LINES.contains_key(word)
}
