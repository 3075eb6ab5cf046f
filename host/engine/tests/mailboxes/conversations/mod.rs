//! TRK-3 on ten thousand generated conversations, half of them on each database: forwards,
//! colleagues in copy, changed subjects, lost headers, several contacts at one firm, reports. The
//! mails come in through a provider and go through the engine's own inbox; what is compared is what
//! the database then says.
//!
//! `OVERTURE_SEED` chooses another world; a failure names its seed.

mod mails;
mod people;

use std::{
    collections::{BTreeMap, HashMap},
    env,
};

use overture_domain::{EnrollmentId, rng::SeededRng};
use overture_store::{dialect::Dialect, messages, on_both};

use crate::world::World;
use mails::Mail;
use people::{People, Place};

/// Mails of one page.
const PAGE: usize = 250;

/// Of a thousand mails so many must be right.
const RIGHT: usize = 995;

on_both! {
    // TRK-3
    async fn mails_find_their_conversation(test: TestDatabase) {
        let other = match test.db.dialect() {
            Dialect::Sqlite => 1,
            Dialect::Postgres => 2,
        };
        let seed = env::var("OVERTURE_SEED").map_or(other, |seed| seed.parse().unwrap());
        let rng = SeededRng::new(seed);
        let world = World::new(test).await;
        let people = People::write(&world, &rng).await;
        let mails = mails::all(&people, &rng);
        for of_mailbox in [0, 1] {
            let mails: Vec<&Mail> = mails.iter().filter(|mail| mail.mailbox == of_mailbox).collect();
            for page in mails.chunks(PAGE) {
                let page: Vec<&str> = page.iter().map(|mail| &*mail.text).collect();
                world.arrive_at(&people.mailboxes[of_mailbox], &page).await;
            }
        }
        compare(&world, &people, &mails, seed).await;
    }
}

async fn compare(world: &World, people: &People, mails: &[Mail], seed: u64) {
    let kept = messages::list(
        &mut world.env().db.reader(),
        world.ws,
        &Default::default(),
        &overture_store::Slice::first(100_000),
    )
    .await
    .unwrap();
    let found: HashMap<&str, Option<EnrollmentId>> = kept
        .iter()
        .map(|message| (&*message.external_id, message.enrollment_id))
        .collect();
    let owner = people.owners();
    let mut wrong: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut merged = Vec::new();
    for mail in mails {
        let expected = mail.belongs_to.map(|place| people.at(place).enrollment);
        let found = found.get(&*mail.id).copied().flatten();
        if found == expected {
            continue;
        }
        let to = |id: Option<EnrollmentId>| id.map(|id| people.contact(owner[&id]).email.clone());
        let told = format!(
            "{:?} instead of {:?}:\n{}",
            to(found),
            to(expected),
            mail.text
        );
        // What a contact wrote stands with another, or what others wrote about one does.
        let contact = |place: Option<Place>| place.map(|place| place.contact);
        if found.is_some() && contact(found.map(|id| owner[&id])) != contact(mail.belongs_to) {
            merged.push(told.clone());
        }
        wrong.entry(mail.kind).or_default().push(told);
    }
    let n: usize = wrong.values().map(Vec::len).sum();
    let counts: Vec<_> = wrong
        .iter()
        .map(|(kind, wrong)| (kind, wrong.len()))
        .collect();
    let first = |all: &[String]| {
        all.iter()
            .take(3)
            .cloned()
            .collect::<Vec<_>>()
            .join("\n---\n")
    };
    assert!(
        merged.is_empty(),
        "OVERTURE_SEED={seed}: {} of {} mails merge two contacts, {counts:?}:\n{}",
        merged.len(),
        mails.len(),
        first(&merged)
    );
    let examples: Vec<String> = wrong.values().map(|all| first(all)).collect();
    assert!(
        (mails.len() - n) * 1_000 >= mails.len() * RIGHT,
        "OVERTURE_SEED={seed}: {n} of {} mails are wrong, {counts:?}:\n{}",
        mails.len(),
        examples.join("\n===\n")
    );
}
