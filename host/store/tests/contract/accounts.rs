//! Sending accounts: status with audit, credentials, pace, claims of the sync.

use std::time::Duration;

use overture_domain::{
    AccountId, AuditId, Id, Timestamp, WorkspaceId,
    accounts::{Account, AccountStatus, Channel, SyncError},
    people::Workspace,
    rng::SeededRng,
};
use overture_store::{
    Database, Error, Slice,
    accounts::{self, StatusChange, SyncDone},
    audit, on_both, people,
};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_772_442_000);

fn id<K: overture_domain::id::Kind>(n: u64) -> Id<K> {
    Id::new(NOW, &SeededRng::new(n))
}

pub(super) async fn workspace(db: &Database) -> WorkspaceId {
    let ws = id(1);
    let mut tx = db.begin().await.unwrap();
    people::insert_workspace(
        &mut tx,
        &Workspace {
            id: ws,
            name: "W".into(),
            postal_address: String::new(),
            time_zone: "UTC".into(),
            created_at: NOW,
        },
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    ws
}

pub(super) fn account(ws: WorkspaceId, n: u64, address: &str) -> Account {
    Account {
        id: id(100 + n),
        workspace_id: ws,
        channel: Channel::Mail,
        provider: "provider-smtp".into(),
        preset: "custom".into(),
        address: address.into(),
        sender_name: "Ada".into(),
        status: AccountStatus::Connected,
        status_reason: String::new(),
        status_audit_id: id(200 + n),
        settings: serde_json::json!({"userName": address}),
        daily_limit: 30,
        time_zone: "UTC".into(),
        signature_html: "<p>Ada</p>".into(),
        signature_text: "Ada".into(),
        next_send_at: NOW,
        backoff_until: Timestamp::default(),
        backoff_rung: 0,
        auth_failures: 0,
        sync_cursor: None,
        sync_due_at: NOW,
        synced_at: None,
        sync_error: None,
        created_at: NOW,
        updated_at: NOW,
    }
}

fn change(n: u64, from: Option<AccountStatus>, to: AccountStatus, reason: &str) -> StatusChange {
    StatusChange {
        audit_id: id(n),
        from,
        to,
        reason: reason.into(),
        actor: "cli".into(),
        at: NOW,
    }
}

pub(super) async fn insert(db: &Database, account: &Account) -> Result<(), Error> {
    let change = StatusChange {
        audit_id: account.status_audit_id,
        ..change(0, None, account.status, &account.status_reason)
    };
    let mut tx = db.begin().await?;
    accounts::insert(&mut tx, account, Some("sealed"), &change).await?;
    tx.commit().await
}

async fn find(db: &Database, account: &Account) -> Account {
    accounts::find(&mut db.reader(), account.workspace_id, account.id)
        .await
        .unwrap()
        .unwrap()
}

on_both! {
    async fn what_is_written_is_read(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let (ada, bob) = (account(ws, 1, "Ada@Example.com"), account(ws, 2, "bob@example.com"));
        insert(&test.db, &ada).await.unwrap();
        insert(&test.db, &bob).await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(find(&test.db, &ada).await, ada);
        assert_eq!(accounts::credentials(&mut on, ws, ada.id).await.unwrap().as_deref(), Some("sealed"));
        let by_address = accounts::find_by_address(&mut on, ws, Channel::Mail, " ada@example.COM").await.unwrap();
        assert_eq!(by_address, Some(ada.clone()));
        assert_eq!(accounts::find_by_address(&mut on, ws, Channel::Linkedin, "ada@example.com").await.unwrap(), None);

        let mut both = [ada.clone(), bob.clone()];
        both.sort_by_key(|account| account.id);
        assert_eq!(accounts::list(&mut on, ws, &Default::default(), &Slice::first(10)).await.unwrap(), both);
        assert_eq!(accounts::list(&mut on, ws, &Default::default(), &Slice::after(both[0].id, 10)).await.unwrap(), [both[1].clone()]);
        assert_eq!(accounts::list(&mut on, ws, &Default::default(), &Slice::first(1)).await.unwrap(), [both[0].clone()]);
        assert_eq!(accounts::find_all(&mut on, ws, &[bob.id, ada.id, id(9)]).await.unwrap(), both);
        // WS-1
        let other: WorkspaceId = id(7);
        assert_eq!(accounts::find(&mut on, other, ada.id).await.unwrap(), None);
        assert_eq!(accounts::credentials(&mut on, other, ada.id).await.unwrap(), None);
        assert!(accounts::find_all(&mut on, other, &[ada.id]).await.unwrap().is_empty());
    }

    async fn an_address_is_there_once_until_it_is_deleted(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let first = account(ws, 1, "ada@example.com");
        insert(&test.db, &first).await.unwrap();
        let again = account(ws, 2, "ADA@example.com");
        let error = insert(&test.db, &again).await.unwrap_err();
        assert!(matches!(error, Error::Unique), "{error}");
        let mut tx = test.db.begin().await.unwrap();
        assert!(accounts::delete(&mut tx, ws, first.id, NOW).await.unwrap());
        assert!(!accounts::delete(&mut tx, ws, first.id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        insert(&test.db, &again).await.unwrap();
        let mut on = test.db.reader();
        assert_eq!(accounts::find(&mut on, ws, first.id).await.unwrap(), None);
        assert_eq!(accounts::list(&mut on, ws, &Default::default(), &Slice::first(9)).await.unwrap(), [again]);
    }

    // SAFE-4
    async fn a_status_changes_with_its_audit_row_or_not_at_all(test: TestDatabase) {
        use AccountStatus::{Connected, Disconnected, Paused};
        let ws = workspace(&test.db).await;
        let ada = account(ws, 1, "ada@example.com");
        insert(&test.db, &ada).await.unwrap();
        let mut tx = test.db.begin().await.unwrap();
        let lost = change(31, Some(Connected), Disconnected, "the password was refused");
        assert!(accounts::set_status(&mut tx, ws, ada.id, &lost).await.unwrap());
        // It is not connected any more, and not in another workspace.
        let stale = change(32, Some(Connected), Paused, "manual");
        assert!(!accounts::set_status(&mut tx, ws, ada.id, &stale).await.unwrap());
        let other = change(33, Some(Disconnected), Paused, "manual");
        assert!(!accounts::set_status(&mut tx, id(7), ada.id, &other).await.unwrap());
        tx.commit().await.unwrap();
        let found = find(&test.db, &ada).await;
        assert_eq!((found.status, &*found.status_reason), (Disconnected, "the password was refused"));

        let mut tx = test.db.begin().await.unwrap();
        let back = change(34, Some(Disconnected), Connected, "the test passed");
        assert!(accounts::set_status(&mut tx, ws, ada.id, &back).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(find(&test.db, &ada).await.status_reason, "");
        let rows = audit::list(&mut test.db.reader(), ws, &ada.id.to_string()).await.unwrap();
        let told: Vec<_> = rows.iter().map(|row| (row.from_status.as_deref(), &*row.to_status)).collect();
        let mut expected = [(None, "connected"), (Some("connected"), "disconnected"), (Some("disconnected"), "connected")];
        let mut told = told;
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);
    }

    // MB-11, MB-4
    async fn settings_change_in_place_and_credentials_only_when_given(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let mut ada = account(ws, 1, "ada@example.com");
        insert(&test.db, &ada).await.unwrap();
        ada.daily_limit = 7;
        ada.settings = serde_json::json!({"userName": "other"});
        ada.signature_text = "A.".into();
        let mut tx = test.db.begin().await.unwrap();
        assert!(accounts::update(&mut tx, &ada, None).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(find(&test.db, &ada).await, ada);
        let mut on = test.db.reader();
        assert_eq!(accounts::credentials(&mut on, ws, ada.id).await.unwrap().as_deref(), Some("sealed"));
        let mut tx = test.db.begin().await.unwrap();
        assert!(accounts::update(&mut tx, &ada, Some("sealed anew")).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(accounts::credentials(&mut on, ws, ada.id).await.unwrap().as_deref(), Some("sealed anew"));
    }

    // SCH-4, CAP-3, MB-3
    async fn pacers_only_go_on(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let ada = account(ws, 1, "ada@example.com");
        insert(&test.db, &ada).await.unwrap();
        let later = NOW + Duration::from_secs(300);
        let mut tx = test.db.begin().await.unwrap();
        accounts::advance_pacers(&mut tx, &[(ada.id, later)]).await.unwrap();
        accounts::advance_pacers(&mut tx, &[(ada.id, NOW)]).await.unwrap();
        accounts::set_backoff(&mut tx, ws, ada.id, 2, later).await.unwrap();
        assert_eq!(accounts::add_auth_failure(&mut tx, ws, ada.id).await.unwrap(), 1);
        assert_eq!(accounts::add_auth_failure(&mut tx, ws, ada.id).await.unwrap(), 2);
        tx.commit().await.unwrap();
        let found = find(&test.db, &ada).await;
        assert_eq!((found.next_send_at, found.backoff_until, found.backoff_rung, found.auth_failures), (later, later, 2, 2));
        let mut tx = test.db.begin().await.unwrap();
        accounts::clear_auth_failures(&mut tx, ws, ada.id).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(find(&test.db, &ada).await.auth_failures, 0);
    }

    async fn a_due_sync_is_claimed_once_and_only_of_connected_accounts(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let mut off = account(ws, 2, "off@example.com");
        off.status = AccountStatus::Paused;
        let mut later = account(ws, 3, "later@example.com");
        later.sync_due_at = NOW + Duration::from_secs(60);
        let ada = account(ws, 1, "ada@example.com");
        for account in [&ada, &off, &later] {
            insert(&test.db, account).await.unwrap();
        }
        assert_eq!(accounts::next_sync_at(&mut test.db.reader()).await.unwrap(), Some(NOW));
        let lease = NOW + Duration::from_secs(600);
        let mut tx = test.db.begin().await.unwrap();
        let claimed = accounts::claim_syncs(&mut tx, NOW, lease, 10).await.unwrap();
        assert_eq!(claimed.iter().map(|a| a.id).collect::<Vec<AccountId>>(), [ada.id]);
        assert!(accounts::claim_syncs(&mut tx, NOW, lease, 10).await.unwrap().is_empty());
        tx.commit().await.unwrap();
        assert_eq!(accounts::next_sync_at(&mut test.db.reader()).await.unwrap(), Some(later.sync_due_at));
    }

    // MB-3: a refused sign-in is tried again by itself, ten times in a row.
    async fn a_disconnected_account_is_tried_until_it_was_refused_ten_times(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let mut ada = account(ws, 1, "ada@example.com");
        ada.status = AccountStatus::Disconnected;
        insert(&test.db, &ada).await.unwrap();
        let mut tx = test.db.begin().await.unwrap();
        let mut claimed = Vec::new();
        for _ in 0..=accounts::MAX_AUTH_FAILURES {
            claimed.push(accounts::claim_syncs(&mut tx, NOW, NOW, 1).await.unwrap().len());
            accounts::add_auth_failure(&mut tx, ws, ada.id).await.unwrap();
        }
        assert_eq!(claimed, [0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
        assert_eq!(accounts::next_sync_at(&mut tx).await.unwrap(), None);
    }

    // MB-3, MB-8
    async fn a_sync_saves_its_cursor_once_and_hears_wakes(test: TestDatabase) {
        let ws = workspace(&test.db).await;
        let ada = account(ws, 1, "ada@example.com");
        insert(&test.db, &ada).await.unwrap();
        let (lease, next) = (NOW + Duration::from_secs(600), NOW + Duration::from_secs(300));
        let mut tx = test.db.begin().await.unwrap();
        let claimed = accounts::claim_syncs(&mut tx, NOW, lease, 1).await.unwrap().remove(0);
        let done = SyncDone { claimed: &claimed, next, at: NOW };
        let error = SyncError { stage: "auth".into(), code: "auth_invalid".into(), reply: Some("NO".into()), detail: "no".into(), at: NOW };
        done.fail(&mut tx, &error).await.unwrap();
        tx.commit().await.unwrap();
        let found = find(&test.db, &ada).await;
        assert_eq!((found.sync_error, found.sync_due_at, found.synced_at), (Some(error), next, None));

        let mut tx = test.db.begin().await.unwrap();
        assert!(done.save(&mut tx, "c1", &["INBOX".into()]).await.unwrap());
        // Another host that read from the same cursor keeps nothing.
        assert!(!done.save(&mut tx, "c2", &[]).await.unwrap());
        tx.commit().await.unwrap();
        let found = find(&test.db, &ada).await;
        assert_eq!((found.sync_cursor.as_deref(), found.sync_error, found.synced_at), (Some("c1"), None, Some(NOW)));

        let watched = accounts::list_watched(&mut test.db.reader()).await.unwrap();
        assert_eq!(watched.iter().map(|w| (w.id, w.folders.join(","))).collect::<Vec<_>>(), [(ada.id, "INBOX".to_owned())]);

        // A wake while the next sync runs is not lost.
        let mut tx = test.db.begin().await.unwrap();
        let claimed = accounts::claim_syncs(&mut tx, next, lease, 1).await.unwrap().remove(0);
        let woken = next + Duration::from_secs(1);
        assert!(accounts::request_sync(&mut tx, ws, ada.id, woken).await.unwrap());
        assert!(!accounts::request_sync(&mut tx, ws, ada.id, woken + Duration::from_secs(1)).await.unwrap());
        let done = SyncDone { claimed: &claimed, next: next + Duration::from_secs(300), at: next };
        assert!(done.save(&mut tx, "c2", &[]).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(find(&test.db, &ada).await.sync_due_at, woken);
    }
}

#[test]
fn ids_of_the_test_differ() {
    assert_ne!(id::<overture_domain::id::kinds::Audit>(1), id(2) as AuditId);
}
