//! Prospects, lists, imports and suppressions.

use std::collections::BTreeMap;

use overture_domain::{
    HostId, Id, ImportId, ListId, Timestamp, WorkspaceId,
    people::Workspace,
    prospects::{
        Import, ImportState, List, Prospect, ProspectStatus, Suppression, SuppressionKind,
        SuppressionSource,
    },
    rng::SeededRng,
};
use overture_store::{
    Database, Slice, imports, lists, mail_domains, on_both, people, prospects, suppressions,
};

const NOW: Timestamp = Timestamp::from_secs(1_772_442_000);

pub(crate) async fn workspace(db: &Database, rng: &SeededRng) -> WorkspaceId {
    let id = Id::new(NOW, rng);
    let workspace = Workspace {
        id,
        name: "W".into(),
        postal_address: String::new(),
        time_zone: "UTC".into(),
        created_at: NOW,
    };
    let mut tx = db.begin().await.unwrap();
    people::insert_workspace(&mut tx, &workspace).await.unwrap();
    tx.commit().await.unwrap();
    id
}

pub(crate) fn prospect(ws: WorkspaceId, rng: &SeededRng, email: &str, company: &str) -> Prospect {
    Prospect {
        first_name: "Žofie".into(),
        company: company.into(),
        tags: vec!["vip".into()],
        custom: BTreeMap::from([("plan".into(), "100%_pro".into())]),
        ..Prospect::new(Id::new(NOW, rng), ws, email, "csv", NOW)
    }
}

fn import(ws: WorkspaceId, rng: &SeededRng) -> Import {
    Import {
        id: ImportId::new(NOW, rng),
        workspace_id: ws,
        file_name: "fair.csv".into(),
        list_id: None,
        state: ImportState::Running,
        failure: String::new(),
        header: vec!["email".into()],
        total_rows: 8,
        created_rows: 0,
        updated_rows: 0,
        duplicate_rows: 0,
        suppressed_rows: 0,
        invalid_rows: 0,
        incomplete_rows: 0,
        created_at: NOW,
        finished_at: None,
    }
}

on_both! {
    // PR-1: unique by folded address; PR-3: search in any case over every field.
    async fn prospects_are_unique_by_address(test: TestDatabase) {
        let rng = SeededRng::new(1);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let ada = prospect(ws, &rng, "Ada@Example.com", "Größe GmbH");
        let bob = prospect(ws, &rng, "bob@example.com", "Plain");
        let twin = prospect(ws, &rng, " ADA@example.com", "Twin");
        let elsewhere = prospect(other, &rng, "ada@example.com", "Elsewhere");
        let mut tx = test.db.begin().await.unwrap();
        assert_eq!(prospects::insert(&mut tx, &[ada.clone(), bob.clone(), twin, elsewhere.clone()]).await.unwrap(), 3);
        assert_eq!(prospects::insert(&mut tx, std::slice::from_ref(&ada)).await.unwrap(), 0);
        tx.commit().await.unwrap();

        let mut on = test.db.reader();
        assert_eq!(prospects::find(&mut on, ws, ada.id).await.unwrap().as_ref(), Some(&ada));
        // WS-1
        assert_eq!(prospects::find(&mut on, other, ada.id).await.unwrap(), None);
        let found = prospects::list_by_emails(&mut on, ws, &["ADA@EXAMPLE.com ".into(), "no@example.com".into()]).await.unwrap();
        assert_eq!(found, std::slice::from_ref(&ada));
        assert_eq!(prospects::list_by_ids(&mut on, ws, &[bob.id, elsewhere.id]).await.unwrap(), std::slice::from_ref(&bob));
        for (search, hits) in [("GRÖSSE", 0), ("BEFORE ADA", 0), ("größe", 1), ("GRÖßE", 1), ("žofie", 2), ("100%_p", 2), ("100__p", 0), ("%", 2)] {
            let filter = prospects::Filter { search: Some(search.into()), ..Default::default() };
            assert_eq!(prospects::list(&mut on, ws, &filter, &Slice::first(10)).await.unwrap().len(), hits, "{search}");
        }
        let page = prospects::list(&mut on, ws, &Default::default(), &Slice::first(1)).await.unwrap();
        assert_eq!(prospects::list(&mut on, ws, &Default::default(), &Slice::after(page[0].id, 10)).await.unwrap().len(), 1);
        assert_eq!(prospects::custom_fields(&mut on, ws).await.unwrap(), BTreeMap::from([("plan".to_owned(), 2)]));
    }

    // PR-2 (updated), PR-4
    async fn prospects_change(test: TestDatabase) {
        let rng = SeededRng::new(2);
        let ws = workspace(&test.db, &rng).await;
        let mut ada = prospect(ws, &rng, "ada@example.com", "Before");
        let mut tx = test.db.begin().await.unwrap();
        prospects::insert(&mut tx, std::slice::from_ref(&ada)).await.unwrap();
        ada.company = "After".into();
        ada.custom.insert("seats".into(), "7".into());
        assert_eq!(prospects::update(&mut tx, std::slice::from_ref(&ada)).await.unwrap(), 1);
        prospects::set_replied(&mut tx, ws, &[ada.id], NOW).await.unwrap();
        assert_eq!(prospects::set_status(&mut tx, ws, &[ada.id], ProspectStatus::Unsubscribed, NOW).await.unwrap(), 1);
        // A later bounce doesn't make an unsubscribed person writable again.
        assert_eq!(prospects::set_status(&mut tx, ws, &[ada.id], ProspectStatus::Invalid, NOW).await.unwrap(), 0);
        tx.commit().await.unwrap();
        (ada.last_replied_at, ada.status) = (Some(NOW), ProspectStatus::Unsubscribed);
        let mut on = test.db.reader();
        assert_eq!(prospects::find(&mut on, ws, ada.id).await.unwrap(), Some(ada));
        let filter = prospects::Filter { search: Some("after".into()), ..Default::default() };
        assert_eq!(prospects::list(&mut on, ws, &filter, &Slice::first(10)).await.unwrap().len(), 1);
    }

    // PR-4: a status goes from one of those named to another, and tells where.
    async fn a_status_is_changed_from_some(test: TestDatabase) {
        use ProspectStatus::{Active, DoNotContact, Invalid, Unsubscribed};
        let rng = SeededRng::new(33);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let people = [prospect(ws, &rng, "a@example.com", ""), prospect(ws, &rng, "b@example.com", ""), prospect(ws, &rng, "c@example.com", "")];
        let ids = people.each_ref().map(|one| one.id);
        let mut tx = test.db.begin().await.unwrap();
        prospects::insert(&mut tx, &people).await.unwrap();
        prospects::set_status(&mut tx, ws, &ids[1..2], Unsubscribed, NOW).await.unwrap();
        prospects::set_status(&mut tx, ws, &ids[2..], Invalid, NOW).await.unwrap();
        let to = (&[Active, Invalid][..], DoNotContact);
        assert_eq!(prospects::change_status(&mut tx, other, &ids, to, NOW).await.unwrap(), []);
        let mut changed = prospects::change_status(&mut tx, ws, &ids, to, NOW).await.unwrap();
        changed.sort();
        let mut expected = [ids[0], ids[2]];
        expected.sort();
        assert_eq!(changed, expected);
        assert_eq!(prospects::change_status(&mut tx, ws, &ids[..1], (&[DoNotContact], Active), NOW).await.unwrap(), [ids[0]]);
        let mut locked = prospects::lock(&mut tx, ws, &ids).await.unwrap();
        locked.sort_by(|a, b| a.email.cmp(&b.email));
        assert_eq!(locked.iter().map(|one| one.status).collect::<Vec<_>>(), [Active, Unsubscribed, DoNotContact]);
        assert_eq!(prospects::lock(&mut tx, other, &ids).await.unwrap(), []);
    }

    // PR-1: who has which profile, and another address.
    async fn people_are_known_by_their_profiles(test: TestDatabase) {
        let rng = SeededRng::new(31);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let at = |ws, email: &str, url: &str| Prospect { linkedin_url: url.into(), ..prospect(ws, &rng, email, "") };
        let url = "https://www.linkedin.com/in/ada-l".to_owned();
        let mut ada = at(ws, "li.ada-l@noemail.invalid", &url);
        let (bob, plain) = (at(ws, "bob@example.com", "https://www.linkedin.com/in/bob"), at(ws, "cy@example.com", ""));
        let foreign = at(other, "li.ada-l@noemail.invalid", &url);
        let mut tx = test.db.begin().await.unwrap();
        prospects::insert(&mut tx, &[ada.clone(), bob.clone(), plain, foreign]).await.unwrap();
        tx.commit().await.unwrap();
        let profiles = [url.clone(), String::new()];
        let found = prospects::list_by_profiles(&mut test.db.reader(), ws, &profiles).await.unwrap();
        assert_eq!(found, [ada.clone()], "nobody has an empty one");

        let mut tx = test.db.begin().await.unwrap();
        let taken = Prospect { email: "BOB@example.com".into(), ..ada.clone() };
        let refused = prospects::set_addresses(&mut tx, &[taken]).await;
        assert!(matches!(refused, Err(overture_store::Error::Unique)));
        drop(tx);
        ada.email = "Ada@new.example".into();
        let mut tx = test.db.begin().await.unwrap();
        prospects::set_addresses(&mut tx, &[ada.clone(), Prospect { workspace_id: other, ..bob.clone() }]).await.unwrap();
        tx.commit().await.unwrap();
        let on = &mut test.db.reader();
        assert_eq!(prospects::list_by_emails(on, ws, &["ada@new.example".into()]).await.unwrap(), [ada]);
        assert_eq!(prospects::find(on, ws, bob.id).await.unwrap(), Some(bob), "WS-1");
        // PR-7: the domain of an address is asked for, that of a placeholder never.
        let mut tx = test.db.begin().await.unwrap();
        let due = mail_domains::claim(&mut tx, NOW, NOW, 10).await.unwrap();
        let mut domains: Vec<_> = due.into_iter().map(|(domain, _)| domain).collect();
        domains.sort();
        assert_eq!(domains, ["example.com", "new.example"]);
    }

    // PR-3
    async fn lists_hold_prospects_once(test: TestDatabase) {
        let rng = SeededRng::new(3);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let list = List { id: ListId::new(NOW, &rng), workspace_id: ws, name: "Fair".into(), color: "blue".into(), prospect_count: 0, created_at: NOW };
        let mine = prospect(ws, &rng, "a@example.com", "");
        let foreign = prospect(other, &rng, "b@example.com", "");
        let mut tx = test.db.begin().await.unwrap();
        lists::insert(&mut tx, &list).await.unwrap();
        prospects::insert(&mut tx, &[mine.clone(), foreign.clone()]).await.unwrap();
        assert_eq!(lists::add(&mut tx, ws, list.id, &[mine.id, foreign.id, mine.id], NOW).await.unwrap(), 1);
        assert_eq!(lists::add(&mut tx, ws, list.id, &[mine.id], NOW).await.unwrap(), 0);
        assert_eq!(lists::add(&mut tx, other, list.id, &[foreign.id], NOW).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        let found = lists::find(&mut on, ws, list.id).await.unwrap().unwrap();
        assert_eq!(found, List { prospect_count: 1, ..list.clone() });
        assert_eq!(lists::find_by_name(&mut on, ws, "Fair").await.unwrap(), Some(found.clone()));
        assert_eq!(lists::find(&mut on, other, list.id).await.unwrap(), None);
        assert_eq!(lists::list(&mut on, ws, &Slice::first(10)).await.unwrap(), [found]);
        let filter = prospects::Filter { list_id: Some(list.id), ..Default::default() };
        assert_eq!(prospects::list(&mut on, ws, &filter, &Slice::first(10)).await.unwrap().len(), 1);
        let mut tx = test.db.begin().await.unwrap();
        let again = lists::insert(&mut tx, &List { id: ListId::new(NOW, &rng), ..list }).await;
        assert!(matches!(again, Err(overture_store::Error::Unique)));
    }

    // PR-3
    async fn lists_are_renamed_emptied_and_deleted(test: TestDatabase) {
        let rng = SeededRng::new(30);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let list = |name: &str| List { id: ListId::new(NOW, &rng), workspace_id: ws, name: name.into(), color: String::new(), prospect_count: 0, created_at: NOW };
        let (fair, zoo, ark) = (list("Fair"), list("Zoo"), list("Ark"));
        let people = [prospect(ws, &rng, "a@example.com", ""), prospect(ws, &rng, "b@example.com", "")];
        let import = Import { list_id: Some(fair.id), ..import(ws, &rng) };
        let mut tx = test.db.begin().await.unwrap();
        for list in [&fair, &zoo, &ark] {
            lists::insert(&mut tx, list).await.unwrap();
        }
        prospects::insert(&mut tx, &people).await.unwrap();
        imports::insert(&mut tx, &import, HostId::new(NOW, &rng)).await.unwrap();
        lists::add(&mut tx, ws, fair.id, &people.each_ref().map(|p| p.id), NOW).await.unwrap();
        assert_eq!(lists::remove(&mut tx, other, fair.id, &[people[0].id]).await.unwrap(), 0); // WS-1
        assert_eq!(lists::remove(&mut tx, ws, fair.id, &[people[0].id, people[0].id]).await.unwrap(), 1);
        assert!(lists::update(&mut tx, &List { name: "Gala".into(), color: "red".into(), ..zoo.clone() }).await.unwrap());
        assert!(!lists::update(&mut tx, &List { workspace_id: other, ..zoo.clone() }).await.unwrap());
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        let by_name = Slice { by: lists::Sort::Name, descending: true, ..Slice::first(10) };
        let names: Vec<_> = lists::list(&mut on, ws, &by_name).await.unwrap().into_iter().map(|l| (l.name, l.color, l.prospect_count)).collect();
        assert_eq!(names, [("Gala".into(), "red".into(), 0), ("Fair".into(), String::new(), 1), ("Ark".into(), String::new(), 0)]);

        assert!(imports::is_running_into(&mut on, ws, fair.id).await.unwrap());
        assert!(!imports::is_running_into(&mut on, ws, zoo.id).await.unwrap());
        let mut tx = test.db.begin().await.unwrap();
        assert!(!lists::delete(&mut tx, other, fair.id).await.unwrap());
        assert!(lists::delete(&mut tx, ws, fair.id).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(lists::find(&mut on, ws, fair.id).await.unwrap(), None);
        assert_eq!(imports::find(&mut on, ws, import.id).await.unwrap().unwrap().list_id, None);
        assert_eq!(prospects::list(&mut on, ws, &Default::default(), &Slice::first(10)).await.unwrap().len(), 2);
    }

    // PR-2: each row's end and reason.
    async fn imports_count_their_rows(test: TestDatabase) {
        let rng = SeededRng::new(4);
        let ws = workspace(&test.db, &rng).await;
        let import = import(ws, &rng);
        let problem = imports::Problem { line: 3, result: imports::Trouble::Invalid, reason: "no @".into(), record: vec!["x".into(), "y".into()] };
        let counts = imports::Counts { created: 5, invalid: 1, incomplete: 1, ..Default::default() };
        let mut tx = test.db.begin().await.unwrap();
        let (own, other) = (HostId::new(NOW, &rng), HostId::new(NOW, &rng));
        imports::insert(&mut tx, &import, own).await.unwrap();
        assert!(imports::record(&mut tx, ws, import.id, counts, std::slice::from_ref(&problem)).await.unwrap());
        assert!(imports::record(&mut tx, ws, import.id, imports::Counts { duplicate: 2, ..Default::default() }, &[]).await.unwrap());
        imports::finish(&mut tx, ws, import.id, "", NOW).await.unwrap();
        assert!(!imports::record(&mut tx, ws, import.id, counts, &[]).await.unwrap(), "it has ended");
        let dying = Import { id: ImportId::new(NOW, &rng), ..import.clone() };
        imports::insert(&mut tx, &dying, other).await.unwrap();
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        let done = Import { state: ImportState::Finished, created_rows: 5, invalid_rows: 1, incomplete_rows: 1, duplicate_rows: 2, finished_at: Some(NOW), ..import.clone() };
        assert_eq!(imports::find(&mut on, ws, import.id).await.unwrap().as_ref(), Some(&done));
        let mut tx = test.db.begin().await.unwrap();
        assert_eq!(imports::fail_dead(&mut tx, other, Timestamp::MAX, "gone", NOW).await.unwrap(), 0, "its own");
        assert_eq!(imports::fail_dead(&mut tx, own, Timestamp::MAX, "gone", NOW).await.unwrap(), 1);
        assert_eq!(imports::fail_own(&mut tx, other, "gone", NOW).await.unwrap(), 0, "has failed already");
        tx.commit().await.unwrap();
        let dead = Import { state: ImportState::Failed, failure: "gone".into(), finished_at: Some(NOW), ..dying };
        let mut expected = vec![done, dead];
        expected.sort_by_key(|import| std::cmp::Reverse(import.id.to_string()));
        assert_eq!(imports::list(&mut on, ws, None, 10).await.unwrap(), expected);
        assert_eq!(imports::list(&mut on, ws, Some(expected[0].id), 10).await.unwrap(), expected[1..]);
        assert_eq!(imports::problems(&mut on, ws, import.id, 0, 10).await.unwrap(), [problem]);
        assert!(imports::problems(&mut on, ws, import.id, 3, 10).await.unwrap().is_empty());
    }

    // SUP-1: by address or domain, in any spelling.
    async fn suppressions_cover_addresses_and_domains(test: TestDatabase) {
        let rng = SeededRng::new(5);
        let (ws, other) = (workspace(&test.db, &rng).await, workspace(&test.db, &rng).await);
        let suppression = |kind, value: &str| Suppression {
            id: Id::new(NOW, &rng), workspace_id: ws, kind, value: value.into(), source: SuppressionSource::Manual, reason: "asked".into(), created_at: NOW,
        };
        let one = suppression(SuppressionKind::Email, "Ada@Example.com");
        let domain = suppression(SuppressionKind::Domain, "Rival.test");
        let mut tx = test.db.begin().await.unwrap();
        assert_eq!(suppressions::insert(&mut tx, &[one.clone(), domain.clone()]).await.unwrap(), 2);
        assert_eq!(suppressions::insert(&mut tx, &[suppression(SuppressionKind::Email, "ada@example.com")]).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let mut on = test.db.reader();
        let asked = ["ADA@example.com".to_owned(), "eve@rival.TEST".into(), "eve@sub.rival.test".into(), "bob@example.com".into()];
        let mut found: Vec<_> = suppressions::among(&mut on, ws, &asked).await.unwrap().into_iter().collect();
        found.sort();
        assert_eq!(found, ["ada@example.com", "eve@rival.test"]);
        assert!(suppressions::among(&mut on, other, &asked).await.unwrap().is_empty());
        let mut both = [one.clone(), domain.clone()];
        both.sort_by_key(|suppression| suppression.id);
        assert_eq!(suppressions::list(&mut on, ws, None, &Slice::first(10)).await.unwrap(), both);
        assert_eq!(suppressions::list(&mut on, ws, Some(SuppressionKind::Domain), &Slice::first(10)).await.unwrap(), [domain]);
        let mut tx = test.db.begin().await.unwrap();
        assert!(!suppressions::delete(&mut tx, other, one.id).await.unwrap());
        assert!(suppressions::delete(&mut tx, ws, one.id).await.unwrap());
    }
}
