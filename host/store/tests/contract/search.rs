//! Search answers as a plain look at every field does, however far the index is (PR-3).

use std::collections::{BTreeMap, BTreeSet};

use overture_domain::{
    Id, ProspectId, Rng, Timestamp, WorkspaceId,
    prospects::{Prospect, search_key},
    rng::SeededRng,
};
use overture_store::{Slice, on_both, prospects, search, testing::TestDatabase};

use crate::prospects::{prospect, workspace};

const WORDS: &[&str] = &[
    "ada",
    "Lovelace",
    "Žofie",
    "ΟΔΟΣ",
    "οδος",
    "Öztürk",
    "İSTANBUL",
    "straße",
    "日本語の会社",
    "Иван",
    "o'Hara",
    "100%_pro",
    "\"quoted\"",
    "a-b",
    "back\\slash",
    "e\u{301}cole",
    "LTD",
    "aaa",
    "NEAR",
    "x AND y",
    "col:on",
    "(sub)*",
];

fn words(rng: &SeededRng) -> String {
    let n = rng.below(4);
    let word = |_| WORDS[rng.below(WORDS.len() as u64) as usize];
    (0..n).map(word).collect::<Vec<_>>().join(" ")
}

fn somebody(ws: WorkspaceId, rng: &SeededRng, n: usize) -> Prospect {
    let mut custom = BTreeMap::from([
        ("plan".to_owned(), words(rng)),
        ("note".to_owned(), words(rng)),
    ]);
    custom.retain(|_, value| !value.is_empty());
    Prospect {
        id: Id::new(Timestamp::from_secs(1_772_442_000 + n as i64), rng),
        first_name: words(rng),
        last_name: words(rng),
        city: words(rng),
        tags: [words(rng), words(rng)]
            .into_iter()
            .filter(|tag| !tag.is_empty())
            .collect(),
        custom,
        ..prospect(ws, rng, &format!("p{n}@Firm{}.example", n % 7), &words(rng))
    }
}

/// The rule: a field holds the text.
fn holds(prospect: &Prospect, text: &str) -> bool {
    let name = format!("{} {}", prospect.first_name, prospect.last_name);
    let fields = [&prospect.email, &name, &prospect.company, &prospect.city];
    let mut all = fields
        .into_iter()
        .chain(&prospect.tags)
        .chain(prospect.custom.values());
    all.any(|field| search_key(field.trim()).contains(&search_key(text)))
}

/// A part of some field, at times in another case; at times of no field.
fn asked(rng: &SeededRng, people: &[Prospect]) -> String {
    let person = &people[rng.below(people.len() as u64) as usize];
    let name = format!("{} {}", person.first_name, person.last_name);
    let fields = [&person.email, &name, &person.company, &person.city];
    let all: Vec<_> = fields
        .into_iter()
        .chain(&person.tags)
        .chain(person.custom.values())
        .collect();
    let field: Vec<char> = all[rng.below(all.len() as u64) as usize]
        .trim()
        .chars()
        .collect();
    let length = 3 + rng.below(6) as usize;
    let from = rng.below(field.len() as u64 + 1) as usize;
    let text: String = field.into_iter().skip(from).take(length).collect();
    let text = match rng.below(3) {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        _ => text,
    };
    match text.trim().chars().count() {
        0..3 => words(rng) + "?no",
        _ => text.trim().to_owned(),
    }
}

async fn found(
    test: &TestDatabase,
    ws: WorkspaceId,
    filter: &prospects::Filter,
) -> BTreeSet<ProspectId> {
    let rows = prospects::list(&mut test.db.reader(), ws, filter, &Slice::first(10_000))
        .await
        .unwrap();
    rows.iter().map(|row| row.id).collect()
}

on_both! {
    async fn it_finds_what_a_plain_look_finds(test: TestDatabase) {
        let rng = SeededRng::new(20_261_122);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let mut people: Vec<_> = (0..150).map(|n| somebody(ws, &rng, n)).collect();
        let strangers: Vec<_> = (0..50).map(|n| somebody(other, &rng, n)).collect();
        let mut hits = 0;
        for round in 0..4 {
            let mut tx = test.db.begin().await.unwrap();
            match round {
                0 => {
                    prospects::insert(&mut tx, &people).await.unwrap();
                    prospects::insert(&mut tx, &strangers).await.unwrap();
                }
                // Some are indexed, then all; then some have changed.
                1 => assert_eq!(search::index(&mut tx, 60).await.unwrap(), 60),
                2 => while search::index(&mut tx, 60).await.unwrap() > 0 {},
                _ => {
                    for (n, person) in people.iter_mut().enumerate().filter(|(n, _)| n % 3 == 0) {
                        *person = Prospect { id: person.id, email: person.email.clone(), ..somebody(ws, &rng, n) };
                    }
                    prospects::update(&mut tx, &people).await.unwrap();
                    search::index(&mut tx, 40).await.unwrap();
                }
            }
            tx.commit().await.unwrap();
            assert_eq!(search::waits(&mut test.db.reader()).await.unwrap(), round != 2);
            for _ in 0..60 {
                let text = asked(&rng, &people);
                let filter = prospects::Filter { search: Some(text.clone()), ..Default::default() };
                let expected: BTreeSet<_> = people.iter().filter(|person| holds(person, &text)).map(|person| person.id).collect();
                hits += expected.len();
                assert_eq!(found(&test, ws, &filter).await, expected, "{text:?} in round {round}");
                let tag = people[rng.below(150) as usize].tags.first().cloned().unwrap_or("aa".into());
                let filter = prospects::Filter { tag: Some(tag.clone()), domain: Some("FIRM3.example".into()), ..Default::default() };
                let expected = people.iter().filter(|person| person.tags.contains(&tag) && person.email.ends_with("@Firm3.example"));
                assert_eq!(found(&test, ws, &filter).await, expected.map(|person| person.id).collect(), "{tag:?}");
            }
        }
        assert!(hits > 1_000, "the texts are found: {hits}");
    }

    // What many have is found without the index, and what few have by it.
    async fn many_are_found_as_well(test: TestDatabase) {
        let rng = SeededRng::new(3);
        let ws = workspace(&test.db, &rng).await;
        let mut people: Vec<_> = (0..2_500).map(|n| prospect(ws, &rng, &format!("p{n}@example.com"), "Everybody Ltd")).collect();
        people[17].company = "Nobody Ltd".into();
        let mut tx = test.db.begin().await.unwrap();
        prospects::insert(&mut tx, &people).await.unwrap();
        while search::index(&mut tx, 1_000).await.unwrap() > 0 {}
        tx.commit().await.unwrap();
        for (text, hits) in [("everybody", 2_499), ("nobody", 1), ("body ltd", 2_500)] {
            let filter = prospects::Filter { search: Some(text.into()), ..Default::default() };
            assert_eq!(found(&test, ws, &filter).await.len(), hits, "{text}");
        }
    }
}
