//! The checker believes an honest story, and each falsified one breaks its rule: a check that
//! nothing can fail would let a sweep pass.

mod story;

use std::time::Duration;

use overture_domain::{
    Timestamp, campaigns::CampaignStatus, caps::Cap, enrollments::EnrollmentState,
    events::EventKind,
};

use super::{Counter, check};
use story::{Story, at};

/// The rules that a story breaks.
fn rules(lie: impl FnOnce(&mut Story)) -> Vec<&'static str> {
    let mut story = Story::honest();
    lie(&mut story);
    let mut rules: Vec<_> = check(&story.evidence).iter().map(|one| one.rule).collect();
    rules.dedup();
    rules
}

#[track_caller]
fn breaks(rule: &str, lie: impl FnOnce(&mut Story)) {
    assert_eq!(rules(lie), [rule]);
}

#[test]
fn an_honest_story_breaks_no_rule() {
    assert_eq!(rules(|_| {}), [""; 0]);
}

#[test]
fn safe_3_a_step_goes_out_once() {
    breaks("SAFE-3", |story| story.mail(1, 1, at(26, 0)));
    let unknown = rules(|story| story.edit(1, "mark-of-step-0", "nothing"));
    assert!(unknown.contains(&"SAFE-3"), "{unknown:?}");
}

#[test]
fn sch_2_in_its_window() {
    breaks("SCH-2", |story| story.evidence.delivered[3].at = at(33, 0));
}

#[test]
fn sch_3_after_its_delay() {
    breaks("SCH-3", |story| story.evidence.delivered[2].at = at(5, 0));
}

#[test]
fn sch_4_at_its_pace() {
    breaks("SCH-4", |story| story.evidence.delivered[1].at = at(1, 4));
    // One moment is no span that the clock has shown twice.
    breaks("SCH-4", |story| {
        story.evidence.delivered[1].at = story.evidence.delivered[0].at;
    });
}

#[test]
fn cap_2_under_its_limits() {
    breaks("CAP-2", |story| story.of().mailboxes[0].daily_limit = 1);
    breaks("CAP-2", |story| story.of().campaigns[0].2 = 1);
    breaks("CAP-2", |story| {
        let id = story.of().campaigns[0].0.id;
        story.evidence.limits.push((at(20, 0), id, 1));
        story.of().campaigns[0].2 = 100;
        story.evidence.delivered[2].at = at(49, 0);
        story.evidence.delivered[3].at = at(49, 10);
    });
    breaks("CAP-2", |story| {
        story.of().campaigns[0].0.minutes_between_sends = 0;
        for _ in 0..3 {
            let who = story.person(EnrollmentState::Active);
            story.mail(who, 0, at(26, 0));
        }
    });
}

#[test]
fn seq_3_in_order_and_not_after_the_end() {
    breaks("SEQ-3", |story| {
        story.edit(0, "mark-of-step-0", "mark-of-step-1");
        story.edit(2, "mark-of-step-1", "mark-of-step-0");
    });
    for kind in [EventKind::ReplyReceived, EventKind::EmailBounced] {
        breaks("SEQ-3", |story| story.event(kind, 0, at(3, 0)));
    }
    for kind in [EventKind::EmailUnsubscribed, EventKind::EmailComplained] {
        let asked = rules(|story| story.event(kind, 0, at(3, 0)));
        assert_eq!(asked, ["SEQ-3", "SUP-1"]);
    }
    breaks("SEQ-3", |story| {
        let stopped = &mut story.of().enrollments[0].0;
        stopped.state = EnrollmentState::Stopped;
        stopped.finished_at = Some(at(3, 0));
    });
}

#[test]
fn seq_4_in_one_thread() {
    breaks("SEQ-4", |story| story.edit(2, "In-Reply-To", "X-None"));
    breaks("SEQ-4", |story| story.edit(2, "References", "X-None"));
    breaks("SEQ-4", |story| story.edit(2, "Subject: Re: ", "Subject: "));
    // All of the thread, not its last mail alone.
    let third = |referred: &str| {
        rules(|story| {
            let campaign = story.of().campaigns[0].0.id;
            story.evidence.steps.insert(campaign, 3);
            for who in 0..2 {
                story.mail(who, 2, at(49, 10 * who as u64));
            }
            story.edit(4, "References: <m0.0> <m0.1>", referred);
        })
    };
    assert_eq!(third("References: <m0.0> <m0.1>"), [""; 0]);
    assert_eq!(third("References: <m0.1>"), ["SEQ-4"]);
    breaks("SEQ-4", |story| {
        story.evidence.delivered[2].from = "other@example.com".to_owned();
    });
}

#[test]
fn seq_11_while_the_campaign_runs() {
    breaks("SEQ-11", |story| {
        story.status(at(3, 0), "paused");
        story.status(at(26, 0), "running");
    });
}

#[test]
fn sup_1_nothing_to_the_suppressed() {
    let suppressed = EventKind::ProspectSuppressed;
    breaks("SUP-1", |story| story.event(suppressed, 0, at(3, 0)));
    // Whoever unsubscribes after the last mail is suppressed as well.
    let unsubscribed = |suppresses: bool| {
        rules(|story| {
            story.event(EventKind::EmailUnsubscribed, 0, at(30, 0));
            if !suppresses {
                story.of().events.retain(|event| event.kind != suppressed);
                story.of().requests.remove(1);
            }
        })
    };
    assert_eq!(unsubscribed(true), [""; 0]);
    assert_eq!(unsubscribed(false), ["SUP-1"]);
}

/// A second campaign writes to the first person.
fn from_another_campaign(story: &mut Story, when: Timestamp) -> Vec<&'static str> {
    let mut autumn = story.of().campaigns[0].clone();
    autumn.0.id = story.id();
    autumn.0.name = "Autumn".to_owned();
    let campaign = autumn.0.id;
    story.of().campaigns.push(autumn);
    story.status_of(campaign, at(0, 0), "running");
    story.audit(&campaign.to_string(), None, "running");
    let who = story.person(EnrollmentState::Active);
    let (enrollment, email) = &mut story.of().enrollments[who];
    enrollment.campaign_id = campaign;
    *email = "p0@example.com".to_owned();
    story.mail(who, 0, when);
    let last = story.evidence.delivered.len() - 1;
    story.edit(last, "-of-Spring", "-of-Autumn");
    check(&story.evidence).iter().map(|one| one.rule).collect()
}

#[test]
fn cap_1_campaigns_keep_a_day_between_their_mails_to_a_person() {
    let second = |when| from_another_campaign(&mut Story::honest(), when);
    assert_eq!(second(at(49, 0)), [""; 0]);
    assert_eq!(second(at(48, 59)), ["CAP-1"]);
}

#[test]
fn safe_3_a_mail_goes_to_people_of_its_campaign() {
    let mut story = Story::honest();
    from_another_campaign(&mut story, at(49, 0));
    let last = story.of().enrollments.len() - 1;
    story.of().enrollments[last].1 = "p9@example.com".to_owned();
    let broken = check(&story.evidence);
    assert!(broken.iter().any(|one| one.rule == "SAFE-3"), "{broken:?}");
}

#[test]
fn trk_4_with_a_way_out() {
    breaks("TRK-4", |story| story.edit(0, "List-Unsubscribe", "X-None"));
}

/// So many people are written to on Monday afternoon, and so many of the mails come back.
fn crowd(story: &mut Story, people: u64, back: u64, kind: EventKind) {
    for n in 0..people {
        let who = story.person(EnrollmentState::Active);
        story.mail(who, 0, at(2, 5 * n));
        if n < back {
            story.of().enrollments[who].0.state = EnrollmentState::Bounced;
            story.event(kind, who, at(7, 59));
        }
    }
}

#[test]
fn saf_1_a_campaign_in_trouble_rests_a_day() {
    let complained = EventKind::EmailComplained;
    breaks("SAF-1", |story| crowd(story, 3, 3, complained));
    assert_eq!(rules(|story| crowd(story, 3, 2, complained)), [""; 0]);
    breaks("SAF-1", |story| {
        crowd(story, 60, 4, EventKind::EmailBounced);
    });
    breaks("SAF-1", |story| {
        story.status(at(30, 0), "cooldown");
        story.status(at(40, 0), "running");
    });
}

// Whoever resumes it after the shield has paused it does so at once.
#[test]
fn saf_1_a_person_may_end_a_rest_that_the_shield_took_over() {
    let resumed = |story: &mut Story| {
        for status in ["cooldown", "paused", "running"] {
            story.status(at(30, 0), status);
        }
    };
    assert_eq!(rules(resumed), [""; 0]);
}

#[test]
fn saf_2_a_workspace_in_trouble_waits_for_a_person() {
    let bounced = EventKind::EmailBounced;
    let broken = rules(|story| crowd(story, 60, 7, bounced));
    assert_eq!(broken, ["SAF-1", "SAF-2"]);
}

#[test]
fn safe_2_nobody_is_dropped() {
    breaks("SAFE-2", |story| {
        story.of().enrollments[0].0.state = EnrollmentState::Failed;
    });
    breaks("SAFE-2", |story| {
        story.evidence.delivered.pop();
        story.of().events.pop();
    });
    breaks("SAFE-2", |story| {
        story.of().enrollments[0].0.state = EnrollmentState::PendingTemplateFix;
        let id = story.of().campaigns[0].0.id;
        story.evidence.mended.push((at(30, 0), id));
    });
}

#[test]
fn sch_11_nobody_stands_still() {
    breaks("SCH-11", |story| {
        let who = story.person(EnrollmentState::Active);
        story.of().enrollments[who].0.next_action_at = Some(at(50, 0));
    });
    // Nor is anybody late while the campaign is paused.
    let resumed = |hours: u64| {
        rules(move |story| {
            story.status(at(49, 0), "paused");
            story.status(at(hours, 0), "running");
            let who = story.person(EnrollmentState::Active);
            story.of().enrollments[who].0.next_action_at = Some(at(50, 0));
        })
    };
    assert_eq!(resumed(230), [""; 0]);
    assert_eq!(resumed(215), ["SCH-11"]);
    let gone_for = |hours: u64| {
        rules(move |story| {
            let who = story.person(EnrollmentState::Active);
            story.of().enrollments[who].0.next_action_at = Some(at(210, 0));
            let spans = [(at(10, 0), at(200, 0)), (at(220, 0), at(220 + hours, 0))];
            story.evidence.gone.extend(spans);
        })
    };
    assert_eq!(gone_for(5), ["SCH-11"]);
    assert_eq!(gone_for(6), [""; 0]);
}

#[test]
fn safe_4_each_change_has_its_row() {
    breaks("SAFE-4", |story| drop(story.of().audit.remove(0)));
    breaks("SAFE-4", |story| story.of().audit[1].reason.clear());
    breaks("SAFE-4", |story| {
        story.of().campaigns[0].0.status = CampaignStatus::Completed;
    });
    // The rows of one moment may come in any order that makes a chain.
    let rows = [
        ("cooldown", "paused"),
        ("running", "cooldown"),
        ("paused", "running"),
        ("cooldown", "cooldown"),
        ("running", "paused"),
        ("paused", "running"),
    ];
    let told = |rows: &[(&str, &str)], story: &mut Story| {
        let campaign = story.of().campaigns[0].0.id.to_string();
        for (from, to) in rows {
            story.audit(&campaign, Some(from), to);
        }
    };
    assert_eq!(rules(|story| told(&rows, story)), [""; 0]);
    breaks("SAFE-4", |story| told(&rows[..5], story));
}

#[test]
fn safe_5_what_went_out_was_told_and_nothing_else() {
    let untold = |story: &mut Story| drop(story.of().events.pop());
    breaks("SAFE-5", untold);
    // A person is asked whether it went out.
    let asked = |story: &mut Story| {
        untold(story);
        let unclear = story.of().enrollments[1].0.id;
        story.of().unclear.push(unclear);
    };
    assert_eq!(rules(asked), [""; 0]);
    breaks("SAFE-5", |story| {
        story.event(EventKind::EmailSent, 0, at(30, 0));
    });
}

#[test]
fn safe_5_a_counter_says_what_was_tried() {
    // Two mails went out on Monday.
    const MONDAY: i64 = 20_514;
    let says = |used: i64, day: i64, untried: usize, hours: &[u64]| {
        let (mut story, at) = (Story::honest(), hours.iter().map(|hour| at(*hour, 0)));
        let (mailbox, campaign) = (story.of().mailboxes[0].id, story.of().campaigns[0].0.id);
        for at in at {
            for (cap, subject) in [
                (Cap::MailboxDaily, mailbox.to_string()),
                (Cap::CampaignDaily, campaign.to_string()),
            ] {
                story.evidence.counters.push(Counter {
                    at,
                    cap,
                    subject,
                    day,
                    used,
                    tried: 2,
                    untried,
                });
            }
        }
        check(&story.evidence).len()
    };
    let day = [3, 6, 9];
    assert_eq!(says(2, MONDAY, 0, &day), 0);
    assert_eq!(says(3, MONDAY, 1, &day), 0);
    assert_eq!(says(3, MONDAY, 0, &day), 2);
    // It is counted anew every few hours.
    assert_eq!(says(3, MONDAY, 0, &day[..2]), 0);
    // Of yesterday nothing is asked, and what was falsified is set right later.
    assert_eq!(says(3, MONDAY - 1, 0, &day), 0);
    assert_eq!(says(10_002, MONDAY, 0, &day), 0);
}

#[test]
fn api_7_a_request_is_signed() {
    breaks("API-7", |story| story.of().requests[0].signed = false);
}

/// The first event is told so many times, and never taken.
fn told_in_vain(story: &mut Story, times: usize) {
    let mut request = story.of().requests.remove(0);
    (request.taken, request.answered) = (false, false);
    story.of().requests = vec![request; times];
}

#[test]
fn api_8_what_was_asked_for_is_told_by_the_ladder() {
    breaks("API-8", |story| story.of().requests.clear());
    breaks("API-8", |story| {
        let request = story.of().requests[0].clone();
        story.of().requests.push(request);
    });
    breaks("API-8", |story| {
        story.of().requests[0].id = "evt_of_nobody".to_owned();
        let request = story.of().events[0].id.to_string();
        let mut right = story.of().requests[0].clone();
        right.id = request;
        story.of().requests.push(right);
    });
    breaks("API-8", |story| told_in_vain(story, 3));
    breaks("API-8", |story| told_in_vain(story, 12));
    // The tenth wait is of three days.
    let given_up = rules(|story| told_in_vain(story, 11));
    assert_eq!(given_up, [""; 0]);
    breaks("API-8", |story| story.of().hook_disabled = true);
}

#[test]
fn a_death_may_repeat_a_request() {
    let twice = |story: &mut Story| {
        let request = story.of().requests[0].clone();
        story.of().requests.push(request);
        story.evidence.deaths = 1;
    };
    assert_eq!(rules(twice), [""; 0]);
}

// The clock that is put back: order can't be told within the span that it has shown twice, and is
// told outside it.
#[test]
fn a_clock_put_back_hides_its_own_span_alone() {
    let hurried = |span: (u64, u64)| {
        rules(move |story| {
            story.evidence.delivered[1].at = at(1, 4);
            let (from, to) = span;
            story.evidence.twice.push((at(1, from), at(1, to)));
        })
    };
    assert_eq!(hurried((0, 30)), [""; 0]);
    assert_eq!(hurried((0, 3)), ["SCH-4"]);
    assert_eq!(hurried((5, 30)), ["SCH-4"]);

    let ended = |length: Duration| {
        rules(move |story| {
            story.event(EventKind::EmailUnsubscribed, 0, at(24, 50));
            let from = at(24, 45);
            story.evidence.twice.push((from, from + length));
        })
    };
    let minutes = |n: u64| Duration::from_secs(60 * n);
    assert_eq!(ended(minutes(30)), [""; 0]);
    assert_eq!(ended(minutes(10)), ["SEQ-3", "SUP-1"]);
    // Put back again while it shows that span anew.
    let put_back_twice = rules(|story| {
        story.event(EventKind::EmailUnsubscribed, 0, at(24, 50));
        let spans = [(at(24, 55), at(25, 30)), (at(24, 45), at(24, 55))];
        story.evidence.twice.extend(spans);
    });
    assert_eq!(put_back_twice, [""; 0]);

    let paused = |length: Duration| {
        rules(move |story| {
            story.status(at(24, 50), "paused");
            story.status(at(26, 0), "running");
            let from = at(24, 45);
            story.evidence.twice.push((from, from + length));
        })
    };
    assert_eq!(paused(minutes(30)), [""; 0]);
    assert_eq!(paused(minutes(10)), ["SEQ-11"]);
}
