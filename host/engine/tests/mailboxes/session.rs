//! A session with real servers: Postfix and Dovecot.

use std::sync::{Arc, atomic::Ordering};

use overture_engine::mailboxes::file_sent_copy;
use overture_plugin_host::capabilities::mailbox::{
    MailRef, MailSession as _, SpecialUse, Stage, SubmissionRecord,
};
use overture_testkit::servers;
use tokio::sync::Notify;

use crate::real::{Hook, real};

// SAFE-3
#[tokio::test(flavor = "multi_thread")]
async fn the_attempt_is_committed_between_354_and_body() {
    let real = real().await;
    let recipient = servers::prospect_address(150);

    let hook = Arc::new(Hook::default());
    let session = real.session().await.before_body(hook.clone());
    assert_eq!(session.settle().await, SubmissionRecord::NotTried);
    let mail = real.mail_to(&recipient, "taken");
    let taken = session.submit(&mail).await.unwrap();
    assert_eq!(taken.reply.code, Some(250));
    assert_eq!(session.settle().await, SubmissionRecord::Accepted(taken));
    assert_eq!(hook.calls.load(Ordering::SeqCst), 1);
    assert_eq!(real.arrived(&recipient, "INBOX", "taken"), 1);
    // One mail a session.
    session.submit(&mail).await.unwrap_err();
    assert_eq!(hook.calls.load(Ordering::SeqCst), 1);

    // Refused before the body: no attempt.
    let hook = Arc::new(Hook::default());
    let session = real.session().await.before_body(hook.clone());
    let failure = session
        .submit(&real.mail_to("refused@d1.test", "refused"))
        .await
        .unwrap_err();
    assert_eq!(
        (failure.stage, failure.reply.as_ref().unwrap().code),
        (Stage::Recipient, Some(550))
    );
    assert_eq!(failure.reply.unwrap().enhanced.as_deref(), Some("5.1.1"));
    assert_eq!(hook.calls.load(Ordering::SeqCst), 0);

    // The attempt can't be recorded: the body stays here.
    let hook = Arc::new(Hook {
        fails: true,
        ..Hook::default()
    });
    let session = real.session().await.before_body(hook);
    let failure = session
        .submit(&real.mail_to(&recipient, "unrecorded"))
        .await
        .unwrap_err();
    assert_eq!(failure.stage, Stage::Data);
    assert!(failure.detail.contains("the disk is full"), "{failure:?}");
    // Without a hook nothing goes out at all.
    let bare = real.session().await;
    bare.submit(&real.mail_to(&recipient, "bare"))
        .await
        .unwrap_err();

    let session = real.session().await.before_body(Arc::new(Hook::default()));
    session
        .submit(&real.mail_to(&recipient, "last"))
        .await
        .unwrap();
    assert_eq!(real.arrived(&recipient, "INBOX", "last"), 1);
    for never in ["unrecorded", "bare"] {
        assert_eq!(real.count(&recipient, "INBOX", never), 0, "{never}");
    }
}

// SAFE-3: a guest that is cut short leaves no doubt.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cut_short_still_settles() {
    let real = real().await;
    let recipient = servers::prospect_address(151);
    let go = Arc::new(Notify::new());
    let hook = Arc::new(Hook {
        go: Some(go.clone()),
        ..Hook::default()
    });
    let session = Arc::new(real.session().await.before_body(hook.clone()));
    let mail = real.mail_to(&recipient, "cut");
    let call = tokio::spawn({
        let session = session.clone();
        async move { session.submit(&mail).await }
    });
    hook.reached.notified().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    go.notify_one();
    assert!(matches!(
        session.settle().await,
        SubmissionRecord::Accepted(_)
    ));
    assert_eq!(real.arrived(&recipient, "INBOX", "cut"), 1);
}

// MB-8, MB-9
#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_read_and_put_in_order() {
    let real = real().await;
    real.receive("From: a@example.com\nSubject: one\nMessage-ID: <one@x>\n\n1\n".into())
        .await;
    real.receive("From: a@example.com\nSubject: two\nMessage-ID: <two@x>\n\n2\n".into())
        .await;
    let session = real.session().await;
    let folders = session.folders().await.unwrap();
    let role = |role| {
        folders
            .iter()
            .find(|f| f.special_use == Some(role))
            .map(|f| &*f.name)
    };
    assert_eq!(
        (
            role(SpecialUse::Inbox),
            role(SpecialUse::Sent),
            role(SpecialUse::Junk)
        ),
        (Some("INBOX"), Some("Sent"), Some("Junk"))
    );
    let state = session.select("INBOX").await.unwrap();
    assert_eq!((state.messages, state.uid_next), (2, 3));
    let listed = session.list_from("INBOX", 1, 10).await.unwrap();
    assert_eq!(listed[1].message_id.as_deref(), Some("two@x"));
    assert_eq!(session.find("INBOX", "two@x").await.unwrap(), [2]);
    assert_eq!(session.listed_size("INBOX", 2).await, Some(listed[1].size));

    let fetched = session
        .fetch("INBOX", state.uid_validity, &[2], 1 << 20)
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&fetched[0].bytes).contains("Subject: two"));
    let cut = session
        .fetch("INBOX", state.uid_validity, &[2], 10)
        .await
        .unwrap();
    assert_eq!(cut[0].bytes.len(), 10);
    // Under another UIDVALIDITY the UID means another mail.
    let old = session
        .fetch("INBOX", state.uid_validity + 1, &[2], 10)
        .await
        .unwrap();
    assert!(old.is_empty());

    let mail = MailRef {
        folder: "INBOX".into(),
        uid_validity: state.uid_validity,
        uid: 1,
    };
    session.set_seen(&mail, true).await.unwrap();
    session.move_to(&mail, "Junk").await.unwrap();
    assert_eq!(session.find("Junk", "one@x").await.unwrap().len(), 1);
    let stale = MailRef {
        uid_validity: state.uid_validity + 1,
        ..mail
    };
    assert_eq!(
        session.set_seen(&stale, true).await.unwrap_err().code,
        "mailbox_changed"
    );
    assert_eq!(
        session.select("Nowhere").await.unwrap_err().stage,
        Stage::Select
    );
    // That broke nothing.
    session.select("INBOX").await.unwrap();

    let copy = b"Subject: copy\r\n\r\nx\r\n";
    assert!(file_sent_copy(&session, &real.account, copy).await.unwrap());
    assert_eq!(real.arrived(&real.account.address, "Sent", "copy"), 1);
    let mut files_itself = real.account.clone();
    files_itself.settings["filesSent"] = true.into();
    assert!(!file_sent_copy(&session, &files_itself, copy).await.unwrap());
    session.close().await;
}
