"""What the judge says with the rules and lexicons that ship: whom it hears, what it leaves out, and why."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from time import process_time

import pytest
import yaml

from bot.judge import Judge, load_judge
from bot.model import Advisory, Relevance, Severity, Threat, Verdict
from bot.rules import Rules
from bot.spans import original_span
from bot.terms import parse_term

NOW = datetime(2024, 5, 26, 12, tzinfo=UTC)
CONFIG = Path(__file__).parent.parent / "config"


@lru_cache(maxsize=1)
def shipped() -> Judge:
    return load_judge(CONFIG)


def verdict(title: str, summary: str = "", **fields: object) -> Verdict:
    advisory = Advisory(source="test", key="1", title=title, summary=summary)
    return shipped().judge(replace(advisory, **fields), now=NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "County hospital loses its charts to a ransomware gang"),
        ("de", "Hacker legen Klinikverbund in Hessen lahm"),
        ("fr", "Un centre hospitalier visé par une cyberattaque"),
        ("es", "Un ciberataque deja sin urgencias al hospital comarcal"),
        ("it", "Attacco hacker all'ospedale, visite rinviate"),
        ("pt", "Ataque informático ao hospital obriga a adiar cirurgias"),
        ("nl", "Ziekenhuis sluit spoedpost na cyberaanval"),
        ("cs", "Kybernetický útok ochromil okresní nemocnici"),
        ("sk", "Nemocnicu v Trnave zasiahol kybernetický útok"),
        ("pl", "Atak hakerski na szpital powiatowy"),
        ("sv", "Cyberattack mot sjukhuset i natt"),
        ("da", "Hackerangreb rammer hospital i Odense"),
        ("no", "Dataangrep mot sykehuset, pasienter flyttes"),
        ("fi", "Sairaalan järjestelmät kaatuivat kyberhyökkäyksessä"),
        ("hu", "Kibertámadás érte a megyei kórházat"),
        ("ro", "Atac cibernetic la spitalul județean"),
        ("el", "Κυβερνοεπίθεση σε νοσοκομείο της Αθήνας"),
        ("uk", "Кібератака на лікарню в Києві"),
        ("ja", "市民病院がランサムウェア被害、電子カルテ使えず"),
        ("ko", "대학병원 해킹으로 환자 정보 유출"),
        ("zh", "医院系统遭勒索软件攻击，门诊停摆"),
        ("ca", "Ciberatac a l'Hospital de la vall"),
        ("ru", "Хакеры атаковали городскую больницу"),
        ("tr", "Hastaneye siber saldırı: hasta verileri çalındı"),
        ("bg", "Хакерска атака срещу болница"),
        ("hr", "Hakerski napad na bolnicu"),
        ("sl", "Kibernetski napad na bolnišnico"),
        ("et", "Küberrünnak haigla vastu"),
        ("lv", "Kiberuzbrukums slimnīcai"),
        ("lt", "Kibernetinė ataka prieš ligoninę"),
        ("th", "โรงพยาบาลถูกโจมตีด้วยแรนซัมแวร์"),
        ("ar", "هجوم إلكتروني على مستشفى"),
        ("he", "מתקפת סייבר על בית חולים"),
    ],
)
def test_an_attack_on_a_hospital_is_heard_in_any_language(language: str, title: str) -> None:
    assert verdict(title, language=language).relevance is Relevance.DIRECT


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("Acme Corp. Vitaflow", {"products": ("Vitaflow infusion pump",)}),
        ("Flaw in bedside patient monitors lets attackers change alarms", {}),
        ("Medtronic MyCareLink", {"vendors": ("Medtronic",)}),
        ("BD Alaris 8015", {"vendors": ("Becton, Dickinson and Company (BD)",), "products": ("Alaris 8015",)}),
        ("Philips vulnerability", {"products": ("Ultrasound system",), "vendors": ("Philips",)}),
        ("OpenEMR 7.0 SQL injection", {}),
        ("Orthanc server", {"products": ("Orthanc",)}),
        ("Drug distributor discloses cyber incident", {}),
        ("Health insurer says members' records were taken", {}),
        ("HHS warns of social engineering against help desks", {}),
        ("Fuite de données : des dossiers médicaux en vente", {}),
        ("Vaccine research institute spied on by state hackers", {}),
        ("Data security incident at Marlow Health", {}),
        ("Omfattande it-attack påverkar Region Blekinge", {}),
        ("Läcka: 1177-samtal låg oskyddade på nätet", {}),
        ("Кібератака на шпиталь", {}),
        ("Attacco hacker alla Asl, copiati i referti", {}),
        ("Oszuści podszywają się pod NFZ", {}),
    ],
)
def test_devices_software_insurers_authorities_and_research_are_heard(title: str, fields: dict[str, object]) -> None:
    assert verdict(title, **fields).relevance is Relevance.DIRECT


@pytest.mark.parametrize(
    "title",
    [
        "Hotel chain hit by ransomware in peak hospitality season",
        "Windows System Health agent: elevation of privilege vulnerability",
        "Kubernetes health check endpoint exposes credentials",
        "Health checks fail after attack on cloud provider",
        "Doctor Web finds a trojan in 200 apps",
        "Patient zero: how one laptop led to the breach of a bank",
        "Building a healthy security culture against phishing",
        "Occupational health rules for staff of hacked data centre",
        "Philips Hue bridge flaw lets attackers take over smart lights",
        "Philips lighting gateway vulnerability",
        "Siemens SIMATIC S7-1500 controller vulnerability",
        "GE Vernova Mark VIe controllers lack authentication",
        "Schwachstelle in Siemens LOGO! Steuerungen",
        "Patient attackers dwell for months before striking telecoms",
        "Surgical strike: police take down botnet",
        "City council hit by ransomware",
        "University cybersecurity clinic fends off attack",
        "Windows Update Health Tools flaw let attackers run code",
        "Il Garante per la protezione dei dati sanziona una banca",
        "LCDS Leão Consultoria e Desenvolvimento LAquis SCADA",
        "Pronto soccorso per il tuo PC: rimuovere il malware",
        "HID PACS readers: door access vulnerability",
        "Kodak Alaris document scanner vulnerability",
        "Stryker brigade targeted by phishing",
        "Ransomware vaccine: a script that stops attacks",
        "USB CDC driver vulnerability in embedded Linux",
        "Paciente cero: así empezó el ciberataque al banco",
        "Pacjent zero: jak doszło do ataku na bank",
        "動物病院に不正アクセス",
        "零号病人：黑客攻击始末",
        "某银行数据泄露",
        "通販サイトから個人情報流出",
    ],
)
def test_words_that_only_look_medical_are_left_out(title: str) -> None:
    assert verdict(title) == replace(verdict(title), relevance=Relevance.NONE)


@pytest.mark.parametrize(
    ("vendor", "product"),
    [("Siemens", "SIMATIC S7-300"), ("GE", "CIMPLICITY"), ("Philips", "Hue Bridge"), ("Canon", "imageRUNNER")],
)
def test_a_vendor_with_a_medical_side_counts_only_beside_a_medical_word(vendor: str, product: str) -> None:
    assert verdict(f"{vendor} {product}", vendors=(vendor,), products=(product,)).relevance is Relevance.NONE


@pytest.mark.parametrize(
    ("title", "summary"),
    [
        ("Credit union notifies 187,000 people of breach", "Financial and medical information was stolen."),
        ("Ransomware hits auto parts maker", "Employee records including health insurance details were stolen."),
        ("School district breach exposes students' health records", ""),
        ("Angriff auf Autohaus", "Auch Gesundheitsdaten von Mitarbeitern wurden gestohlen."),
    ],
)
def test_data_that_is_medical_does_not_make_the_victim_medical(title: str, summary: str) -> None:
    assert verdict(title, summary).relevance is Relevance.NONE


@pytest.mark.parametrize(
    "summary",
    [
        "Nothing medical here. Related: Hospital hit by ransomware attack",
        "Ein Angriff auf eine Bank. Lesen Sie auch: Klinik nach Cyberangriff offline",
        "不正アクセスがあった。 関連記事 病院にサイバー攻撃",
        "A bank was breached. The post Hospital attack foiled appeared first on SomeSite .",
    ],
)
def test_a_tail_of_related_articles_does_not_count(summary: str) -> None:
    assert verdict("Bank breached", summary).relevance is Relevance.NONE
    assert verdict("Bank breached", "A hospital was hit by a ransomware attack.").relevance is Relevance.DIRECT


@pytest.mark.parametrize(
    "summary",
    [
        "Victims of the attacks span finance, energy, healthcare, education and retail.",
        "The malware targeted government, manufacturing, hospitals, schools and energy companies.",
        "The attacks hit critical infrastructure, including hospitals.",
        "Angriffe auf kritische Infrastruktur, darunter Krankenhäuser.",
    ],
)
def test_one_in_a_list_of_sectors_is_a_mention(summary: str) -> None:
    assert verdict("New botnet hits many industries", summary).relevance is Relevance.MENTION


def test_a_round_up_of_many_stories_is_a_mention() -> None:
    assert verdict("In other news: hospital hit by ransomware, zoo hacked").relevance is Relevance.MENTION
    assert verdict("Hospital hit by ransomware, zoo hacked").relevance is Relevance.DIRECT


def test_typed_sectors_decide_before_words() -> None:
    several = ("Energy", "Healthcare and Public Health", "Water and Wastewater")
    assert verdict("Acme controller", sectors=several).relevance is Relevance.MENTION
    assert verdict("Acme controller", sectors=("Healthcare and Public Health",)).relevance is Relevance.DIRECT
    assert verdict("Acme controller", sectors=("Energy",)).relevance is Relevance.NONE


def test_the_publisher_and_the_address_decide_before_words() -> None:
    assert verdict("Citrix ADC zero-day", health_publisher=True).relevance is Relevance.DIRECT
    address = "https://www.cisa.gov/news-events/ics-medical-advisories/icsma-24-001-01"
    assert verdict("Acme Medical Device Management", url=address).threats == (Threat.VULNERABILITY,)
    assert verdict("Acme X1", url=address).relevance is Relevance.DIRECT
    assert verdict("Acme X1", url=address.replace("ics-medical-", "ics-").replace("icsma", "icsa")).relevance is (
        Relevance.NONE
    )


@pytest.mark.parametrize(
    ("title", "summary", "threats"),
    [
        ("Hospital hit by ransomware", "Hackers stole data.", {Threat.RANSOMWARE}),
        ("Data breach at hospital affects 40,000", "", {Threat.DATA_THEFT}),
        (
            "Data breach at hospital",
            "It was attacked by the Rhysida ransomware group, which took 500 GB.",
            {Threat.RANSOMWARE},
        ),
        ("Hackers stole patient files in ransomware attack", "", {Threat.RANSOMWARE}),
        ("Akira gang leaks stolen patient files of hospital", "", {Threat.DATA_THEFT}),
        ("Clinic notifies 4,000 patients of cyberattack", "", {Threat.DATA_THEFT}),
        ("Insulin pump flaw affects 4,000 patients", "", {Threat.VULNERABILITY}),
        ("Infusion pump recall affects 4,000 patients", "", {Threat.RECALL}),
        ("Hospital demands answers after breach", "A ransomware attack cost it its files.", {Threat.RANSOMWARE}),
        ("VPN flaw exploited in hospitals", "A ransomware attack was seen.", {Threat.VULNERABILITY}),
        ("Patients of clinic get extortion emails", "", {Threat.DATA_THEFT}),
        ("Backdoor found in patient monitor", "", {Threat.VULNERABILITY}),
        ("Backdoor found on hospital servers", "", {Threat.DATA_THEFT}),
        ("Scammers steal health data posing as insurers", "", {Threat.PHISHING, Threat.FRAUD}),
        ("Patient portal SQL injection vulnerability", "An attacker can read it.", {Threat.VULNERABILITY}),
        ("A quarter of clinics report attacks on medical devices", "", {Threat.OTHER}),
        ("Hospital websites down after DDoS", "It was no breach.", {Threat.DDOS}),
        ("Infusion pump vulnerability", "", {Threat.VULNERABILITY}),
        ("Acme patient monitor", "CVE-2024-1 allows code execution.", {Threat.VULNERABILITY}),
        ("Phishing emails impersonate a hospital", "", {Threat.PHISHING}),
        ("State-sponsored hackers spied on a vaccine laboratory", "", {Threat.ESPIONAGE}),
        ("Urgent field safety notice for ventilators", "", {Threat.RECALL}),
        ("Botnet spreads through clinics", "", {Threat.MALWARE}),
        ("Lawmakers propose hospital cybersecurity bill", "", {Threat.POLICY}),
        ("Cyberattack on hospital", "", {Threat.OTHER}),
        ("Cyberangriff auf Krankenhaus", "Der Betrieb läuft.", {Threat.OTHER}),
        ("Hospital attacked", "Patients were diverted to other cities.", {Threat.RANSOMWARE}),
        ("Hospital attacked", "A DDoS; patients were diverted.", {Threat.DDOS}),
        ("IT-Ausfall in der Uniklinik, Operationen abgesagt", "", {Threat.OTHER}),
        ("Panne informatique au CHU : mode dégradé", "", {Threat.OTHER}),
        ("Prosecutors investigate attack on hospital", "The files were encrypted by ransomware.", {Threat.RANSOMWARE}),
        ("Senate passes bill on hospital cybersecurity", "Breaches exposed millions of records.", {Threat.POLICY}),
        ("Lawmakers ask insurer about ransomware attack", "", {Threat.RANSOMWARE}),
        ("Can hackers stop an insulin pump?", "", {Threat.VULNERABILITY}),
        ("Insulin pump maker hit by cyberattack", "", {Threat.OTHER}),
        ("Hacker könnten Herzschrittmacher angreifen", "", {Threat.VULNERABILITY}),
        ("Cyberangriff auf Klinik", "Es sind keine Daten abgeflossen.", {Threat.OTHER}),
        ("病院に不正アクセス", "情報の流出は確認されていない。", {Threat.OTHER}),
        ("Cyberattaque contre un hôpital", "Aucune donnée n'a été volée.", {Threat.OTHER}),
        ("Hospital sends letters to the wrong patients", "", {Threat.DATA_THEFT}),
        ("Cyberattaque : 3,2 millions d'assurés concernés à la mutuelle santé", "", {Threat.DATA_THEFT}),
        ("USBメモリを紛失 - 中央病院", "保存されたデータは暗号化されていたという。", {Threat.DATA_THEFT}),
        ("Hospital must act, regulator says", "Data of 10,000 patients was stolen from it.", {Threat.DATA_THEFT}),
        ("Hackers reclamaron a la clínica", "Exigen un rescate por los datos.", {Threat.RANSOMWARE}),
    ],
)
def test_what_threatens(title: str, summary: str, threats: set[Threat]) -> None:
    assert set(verdict(title, summary).threats) == threats


def test_known_ransomware_use_is_a_fact() -> None:
    assert Threat.RANSOMWARE in verdict("Acme VPN flaw", known_ransomware=True).threats


@pytest.mark.parametrize(
    ("title", "fields", "severity"),
    [
        ("Infusion pump vulnerability", {"cvss": 7.5}, Severity.CRITICAL),
        ("Infusion pump vulnerability", {"cvss": 4.3}, Severity.HIGH),
        ("OpenEMR vulnerability", {"cvss": 9.8}, Severity.CRITICAL),
        ("OpenEMR vulnerability", {"cvss": 7.0}, Severity.HIGH),
        ("OpenEMR vulnerability", {"cvss": 5.0}, Severity.MEDIUM),
        ("OpenEMR vulnerability", {"kev": True}, Severity.CRITICAL),
        ("Acme router vulnerability", {"kev": True}, Severity.HIGH),
        ("Acme router vulnerability", {"cvss": 9.8}, Severity.HIGH),
        ("Acme router vulnerability", {"cvss": 5.5}, Severity.MEDIUM),
        ("Acme router vulnerability", {"cvss": 2.0}, Severity.LOW),
        ("Acme router notes", {}, Severity.INFO),
        ("Acme router notes", {"stated_severity": Severity.CRITICAL}, Severity.CRITICAL),
        ("Acme router notes", {"stated_severity": Severity.LOW}, Severity.LOW),
        ("Ransomware hits hospital", {}, Severity.HIGH),
        ("Ransomware hits hospital", {"summary": "Surgeries were postponed."}, Severity.CRITICAL),
        ("DDoS on hospital websites", {}, Severity.HIGH),
        ("Cyberattack on hospital", {}, Severity.HIGH),
        ("Cyberattack on health insurer", {}, Severity.MEDIUM),
        ("Data breach at dental clinic", {}, Severity.MEDIUM),
        ("Lawmakers propose hospital cybersecurity bill", {}, Severity.LOW),
    ],
)
def test_the_severity_table(title: str, fields: dict[str, object], severity: Severity) -> None:
    assert verdict(title, **fields).severity is severity


@pytest.mark.parametrize(
    ("title", "words"),
    [
        ("Ransomware at Mercy Hospital", "Hospital"),
        ("ﬁle leak — ｈｏｓｐｉｔａｌ hacked", "ｈｏｓｐｉｔａｌ"),
        ("⑩件 ﾊﾞﾝｸ データ流出、病院から", "病院"),
        ("Cyberangriff auf Krankenhäuser", "Krankenhäuser"),
        (unicodedata.normalize("NFD", "Cyberangriff auf Krankenhäuser"), unicodedata.normalize("NFD", "Krankenhäuser")),
    ],
)
def test_reasons_point_at_the_words_as_they_were_written(title: str, words: str) -> None:
    reasons = verdict(title).reasons
    shown = {title[reason.start : reason.end] for reason in reasons if reason.place == "title"}
    assert words in shown


def test_reasons_tell_rule_and_clause_and_stay_few() -> None:
    summary = "Attack on a hospital and its clinic. " * 40
    decided = verdict("Ransomware attack on hospital", summary)
    assert len(decided.reasons) <= 12
    first = decided.reasons[0]
    assert (first.rule, first.clause, first.words) == ("care-provider", "lexicon:care-settings", "hospital")
    assert {rule.id for rule in shipped().rules.all} >= {reason.rule for reason in decided.reasons}
    titles = {rule.id: rule.title for rule in shipped().rules.all}
    assert titles["care-provider"] == "A care provider, in the title"


def test_judging_twice_says_the_same() -> None:
    assert verdict("Ransomware attack on hospital") == verdict("Ransomware attack on hospital")


@pytest.mark.parametrize(
    "summary",
    [
        "hospital " * 3000 + "the " * 40 + "attack " * 3000,
        "hospital energy attack banking " * 1500,
        "health check healthy hospital " * 2000,
        "病院攻撃" * 3000,
        "a-" * 20_000,
    ],
)
def test_no_text_can_stall_the_judge(summary: str) -> None:
    begin = process_time()
    verdict("title", summary)
    assert process_time() - begin < 1.5  # comparing all words with all takes 10 to 30 seconds


RULES = """
masks: [never]
relevance:
  - {id: near, title: Near, gives: direct, when: {words: [clinic]}, beside: {words: [attack]}, within: 2}
  - {id: opening, title: Opening, gives: direct, places: [text], first: 3, when: {words: [ward]}}
  - {id: name, title: Name, gives: direct, capital: true, when: {words: [mercy]}}
  - {id: stopped, title: Stopped, gives: direct, when: {words: [pump]}, unless: {words: [water]}}
"""


@pytest.mark.parametrize(
    ("title", "summary", "held"),
    [
        ("attack on a clinic", "", True),
        ("attack on us, and a clinic", "", False),
        ("attack", "clinic", False),
        ("", "one two ward", True),
        ("", "one two three ward", False),
        ("ward", "", False),
        ("Mercy", "", True),
        ("mErcy", "", True),
        ("mercy", "", False),
        ("pump", "", True),
        ("pump", "of water", False),
        ("pump class", "", True),
        ("air pump", "", False),
    ],
)
def test_the_parts_of_a_rule(title: str, summary: str, held: bool) -> None:
    judge = Judge(Rules.model_validate(yaml.safe_load(RULES)), {"never": (parse_term("air pump"),)})
    found = judge.judge(Advisory(source="s", key="k", title=title, summary=summary), now=NOW)
    assert (found.relevance is Relevance.DIRECT) is held


@pytest.mark.parametrize("text", ["plain", "ﬁ ﬂ ①", "ﾊﾞﾊﾟ ｶﾞ", "e\u0301a\u0308", "㍻の病院", "한글", "", "\u0301x"])
def test_a_span_of_the_whole_text_is_the_whole_text(text: str) -> None:
    assert original_span(text, 0, len(unicodedata.normalize("NFKC", text))) == (0, len(text))


@pytest.mark.parametrize(
    "title",
    [
        "Regional hospital back to pen and paper",
        "Fake clinic texts go round in Ohio",
        "Klinikum: Fremde hatten Zugriff auf E-Mails",
        "Szpital: komputery nie działają",
    ],
)
def test_harm_to_a_care_provider_needs_no_word_of_attack(title: str) -> None:
    assert verdict(title).relevance is Relevance.DIRECT


@pytest.mark.parametrize(
    "title",
    [
        "Gegevens gestolen uit ziekenhuis, geen losgeld betaald",
        "Robo de datos en hospital: no hay detenidos",
        "Daten aus Klinik abgeflossen, keine Lösung in Sicht",
        "La vulnérabilité des hôpitaux face aux attaques",
        "No patient data was stolen, cyberattack victim says",
    ],
)
def test_a_denial_never_hides_who_is_spoken_of(title: str) -> None:
    assert verdict(title).relevance is Relevance.DIRECT


@pytest.mark.parametrize("title", ["WORLD CUP PHISHING WAVE", "NASA fixes flaw aboard ISS"])
def test_short_names_of_health_bodies_are_not_taken_for_others(title: str) -> None:
    assert verdict(title).relevance is Relevance.NONE


def test_police_and_companies_in_the_title_make_no_list_of_sectors() -> None:
    assert verdict("Cyberangriff auf Klinik: Polizei und Unternehmen ermitteln").relevance is Relevance.DIRECT


def test_lost_data_in_the_title_opens_the_text_for_who_lost_it() -> None:
    opening = "For five years thousands could read the files of those who had visited the Hospital of Exampleton."
    assert verdict("500,000 personal numbers leaked", opening).relevance is Relevance.DIRECT
    assert verdict("500,000 visitors counted", opening).relevance is Relevance.NONE


def test_everyday_news_of_health_is_no_alert() -> None:
    assert verdict("Children's hospital celebrates award for diabetes care").relevance is Relevance.NONE


def test_a_bare_group_name_is_ransomware_beside_a_victim_only() -> None:
    assert Threat.RANSOMWARE in verdict("Akira claims hospital in Leeds").threats
    assert Threat.RANSOMWARE not in verdict("Hive of bees moves into town hall").threats


def test_whatever_a_body_of_the_health_sector_publishes_is_direct() -> None:
    assert verdict("Zero-days in firewalls", source="nl-z-cert").relevance is Relevance.DIRECT
    assert verdict("Zero-days in firewalls", source="nl-ncsc").relevance is Relevance.NONE


def test_a_bare_medical_product_is_taken_for_a_flaw() -> None:
    assert set(verdict("Acme ventilator").threats) == {Threat.VULNERABILITY}


@pytest.mark.parametrize("title", ["Tierklinik gehackt", "Dierenkliniek getroffen door ransomware"])
def test_animals_are_not_patients(title: str) -> None:
    assert verdict(title).relevance is Relevance.NONE


def test_a_source_that_may_fall_back_to_every_industrial_advisory_is_no_reason() -> None:
    industrial = "https://www.cisa.gov/news-events/ics-advisories/icsa-24-001-01"
    assert verdict("Acme PLC 7", source="us-cisa-icsma", url=industrial).relevance is Relevance.NONE
    assert verdict("ICSMA-24-001-01 Acme X1").relevance is Relevance.DIRECT


def test_a_paper_of_the_health_sector_is_heard_where_harm_is_told() -> None:
    assert verdict("February breach report", source="HIPAA Journal").relevance is Relevance.DIRECT
    assert verdict("Our five favourite calendars", source="HIPAA Journal").relevance is Relevance.NONE
