//! What helps a mailbox that can't be read (MB-3).

use overture_domain::accounts::SyncError;
use overture_mail::Code;

/// What a person can do about a sync that failed; says so where nobody has to do anything.
pub fn fix(error: &SyncError) -> String {
    let by_itself = "It is tried again by itself.";
    match error.code.parse::<Code>() {
        Ok(code) if code.is_definite_auth_failure() => code.fix().to_owned(),
        Ok(code) if code.fix().contains("by itself") => code.fix().to_owned(),
        Ok(code) => format!("{} {by_itself}", code.fix()),
        Err(_) if error.code == "credentials_unreadable" => {
            "Enter the password of the mailbox again.".to_owned()
        }
        Err(_) if error.stage == "plugin" => format!(
            "{by_itself} When it persists, the operator looks at the provider plugin: `overture plugin list`."
        ),
        Err(_) => by_itself.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use overture_domain::Timestamp;

    use super::*;

    // MB-3
    #[test]
    fn a_fix_says_whether_somebody_has_to_act() {
        let check = |stage: &str, code: &str, person: bool, words: &str| {
            let error = SyncError {
                stage: stage.into(),
                code: code.into(),
                reply: None,
                detail: String::new(),
                at: Timestamp::from_secs(0),
            };
            let fix = fix(&error);
            assert_eq!(!fix.contains("by itself"), person, "{fix}");
            assert!(fix.contains(words), "{fix}");
        };
        check("auth", "auth_invalid", true, "Check user name and password");
        check("auth", "credentials_unreadable", true, "Enter the password");
        check(
            "tcp",
            "connection_refused",
            false,
            "check host name and port",
        );
        check("tcp", "host_left_alone", false, "");
        check("plugin", "plugin_panicked", false, "overture plugin list");
    }
}
