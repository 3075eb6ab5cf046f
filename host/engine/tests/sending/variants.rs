//! Steps with several texts (SEQ-2, TPL-7).

use std::collections::{HashMap, HashSet};

use overture_domain::{campaigns::Step, enrollments::EnrollmentState, people::Actor};
use overture_engine::{
    Error,
    campaigns::{self, CampaignIn, CampaignPatch, StepIn, VariantIn},
};
use overture_store::{actions, campaigns as store, messages, on_both};
use overture_testkit::Outreach;

use super::{DAY, HOUR, all_are, header};

fn variant(subject: &str, body: &str) -> VariantIn {
    VariantIn {
        subject: subject.to_owned(),
        body_html: body.to_owned(),
        ..VariantIn::default()
    }
}

fn step(variants: Vec<VariantIn>) -> StepIn {
    StepIn {
        variants,
        ..StepIn::default()
    }
}

/// The steps of a campaign as a user sends them back.
fn given(steps: &[Step]) -> Vec<StepIn> {
    steps
        .iter()
        .map(|step| StepIn {
            id: Some(step.id),
            variants: step
                .variants
                .iter()
                .map(|variant| VariantIn {
                    id: Some(variant.id),
                    weight: Some(variant.weight),
                    subject: variant.subject.clone(),
                    body_html: variant.body_html.clone(),
                    body_text: variant.body_text.clone(),
                })
                .collect(),
            ..StepIn::default()
        })
        .collect()
}

on_both! {
    // TPL-7: the assignment is stored per enrollment and step.
    async fn each_person_gets_one_of_the_texts(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(24).await;
        let campaign = world.create(&CampaignIn {
            name: "Spring".to_owned(),
            steps: vec![
                step(vec![variant("A {{ firstName }}", "first A"), variant("B {{ firstName }}", "first B")]),
                step(vec![variant("", "next A"), variant("", "next B"), VariantIn { weight: Some(0), ..variant("", "never") }]),
            ],
            mailbox_ids: vec![mailbox.id],
            ..CampaignIn::default()
        }).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(DAY * 3).await;
        all_are(&world, campaign, EnrollmentState::Completed).await;

        let on = &mut world.env().db.reader();
        let steps = store::list_steps(on, world.ws, &[campaign]).await.unwrap();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for enrollment in world.enrollments(campaign).await {
            let sent = messages::list_by_enrollment(on, world.ws, enrollment.id).await.unwrap();
            let got = actions::list_by_enrollments(on, world.ws, &[enrollment.id]).await.unwrap();
            for ((step, message), action) in steps.iter().zip(&sent).zip(&got) {
                let text = step.text(action.variant_id).body_html;
                assert!(message.text.starts_with(text), "{}: {text}", message.text);
                *seen.entry(text.to_owned()).or_default() += 1;
            }
            // A follow-up without a subject answers the variant that this person got.
            assert_eq!(sent[1].subject, format!("Re: {}", sent[0].subject));
        }
        let texts: HashSet<&str> = seen.keys().map(String::as_str).collect();
        assert_eq!(texts, HashSet::from(["first A", "first B", "next A", "next B"]), "{seen:?}");
        assert!(seen.values().all(|n| *n >= 4), "{seen:?}");
    }

    // SEQ-1, SEQ-8: texts are live-editable, variants and weights are structure.
    async fn variants_change_like_steps(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let campaign = world.create(&CampaignIn {
            name: "Spring".to_owned(),
            steps: vec![step(vec![variant("A", "one"), variant("B", "two")])],
            mailbox_ids: vec![mailbox.id],
            ..CampaignIn::default()
        }).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        let env = world.env();
        let before = store::list_steps(&mut env.db.reader(), world.ws, &[campaign]).await.unwrap();
        let edit = async |edit: &dyn Fn(&mut StepIn)| {
            let mut steps = given(&before);
            edit(&mut steps[0]);
            let patch = CampaignPatch { steps: Some(steps), ..CampaignPatch::default() };
            campaigns::update(env, world.ws, campaign, &patch, &Actor::Cli).await
        };
        edit(&|step| step.variants.iter_mut().for_each(|v| v.body_html = "three".to_owned())).await.unwrap();
        for change in [
            (&|step: &mut StepIn| step.variants[0].weight = Some(5)) as &dyn Fn(&mut StepIn),
            &|step| step.variants.push(variant("C", "x")),
            &|step| { step.variants.pop(); },
        ] {
            let refused = edit(change).await.unwrap_err();
            assert!(matches!(&refused, Error::InvalidStatus { details, .. } if details[0].field == "steps"), "{refused:?}");
        }
        campaigns::pause(env, world.ws, campaign, &Actor::Cli).await.unwrap();
        let after = edit(&|step| step.variants[0].weight = Some(5)).await.unwrap();
        assert_eq!(after.steps[0].variants[0].weight, 5);
        // A variant belongs to its step.
        let refused = edit(&|step| step.variants[1].id = step.variants[0].id).await.unwrap_err();
        assert!(matches!(&refused, Error::Invalid(all) if all[0].field == "steps[0].variants[1].id"), "{refused:?}");
        campaigns::resume(env, world.ws, campaign, &Actor::Cli).await.unwrap();
        world.run_for(HOUR).await;
        let kept = String::from_utf8(world.post.taken()[0].bytes.to_vec()).unwrap();
        assert!(kept.contains("one") || kept.contains("two"), "the last edit brought the old texts back: {kept}");
    }

    // SEQ-4: who begins a new thread goes on in that one.
    async fn a_follow_up_answers_the_latest_thread(test: TestDatabase) {
        let world = Outreach::new(test).await;
        let mailbox = world.mailbox("ada@sender.test").await;
        let people = world.prospects(1).await;
        let steps = [("One", "1"), ("", "2"), ("Another matter", "3"), ("", "4"), ("", "5")];
        let campaign = world.draft(&[&mailbox], &steps).await;
        world.enroll(campaign, &people).await;
        world.start(campaign).await;
        world.run_for(DAY * 9).await;
        let mails = world.post.taken();
        let id = |n: usize| format!("<{}>", mails[n].message_id);
        for (n, subject, references) in [
            (1, "Re: One", vec![id(0)]),
            (3, "Re: Another matter", vec![id(2)]),
            (4, "Re: Another matter", vec![id(2), id(3)]),
        ] {
            assert_eq!(header(&mails[n].bytes, "Subject").unwrap(), subject);
            assert_eq!(header(&mails[n].bytes, "In-Reply-To"), references.last().cloned());
            assert_eq!(header(&mails[n].bytes, "References").unwrap().split_whitespace().collect::<Vec<_>>(), references);
        }
    }
}
