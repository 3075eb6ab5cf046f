//! The records of this crate and those of the interface: the same fields under two names, so that
//! the interface can move on while an old line is still served.

use super::{
    Failure, Folder, FolderState, ListedMail, MailRef, Reply, SpecialUse, Stage, Submission, wit,
};

macro_rules! same_enum {
    ($ours:ident, $theirs:ty { $($case:ident),* }) => {
        impl From<$ours> for $theirs {
            fn from(value: $ours) -> Self {
                match value { $($ours::$case => Self::$case),* }
            }
        }
        impl From<$theirs> for $ours {
            fn from(value: $theirs) -> Self {
                match value { $(<$theirs>::$case => Self::$case),* }
            }
        }
    };
}

same_enum!(
    Stage,
    wit::Stage {
        Dns,
        Tcp,
        Tls,
        Greeting,
        Auth,
        Sender,
        Recipient,
        Data,
        Body,
        Select,
        Fetch,
        Append
    }
);
same_enum!(
    SpecialUse,
    wit::SpecialUse {
        Inbox,
        Sent,
        Junk,
        Trash,
        Drafts,
        Archive,
        All,
        Flagged,
        Important
    }
);

macro_rules! same_record {
    ($ours:ident, $theirs:ty { $($field:ident),* }) => {
        impl From<$ours> for $theirs {
            fn from(value: $ours) -> Self {
                let $ours { $($field),* } = value;
                Self { $($field: convert($field)),* }
            }
        }
        impl From<$theirs> for $ours {
            fn from(value: $theirs) -> Self {
                Self { $($field: convert(value.$field)),* }
            }
        }
    };
}

/// `From` for a field, and for what may be in it.
fn convert<A: Convert<B>, B>(value: A) -> B {
    value.convert()
}

trait Convert<B> {
    fn convert(self) -> B;
}

macro_rules! convert_as {
    ($($from:ty => $to:ty),*) => {$(
        impl Convert<$to> for $from {
            fn convert(self) -> $to { self.into() }
        }
        impl Convert<Option<$to>> for Option<$from> {
            fn convert(self) -> Option<$to> { self.map(Into::into) }
        }
    )*};
}

convert_as!(
    String => String, u16 => u16, u32 => u32, u64 => u64, bool => bool,
    Stage => wit::Stage, wit::Stage => Stage,
    Reply => wit::Reply, wit::Reply => Reply,
    SpecialUse => wit::SpecialUse, wit::SpecialUse => SpecialUse
);

same_record!(
    Reply,
    wit::Reply {
        code,
        enhanced,
        text
    }
);
same_record!(
    Failure,
    wit::Failure {
        stage,
        code,
        reply,
        detail
    }
);
same_record!(Submission, wit::Submission { reply });
same_record!(
    Folder,
    wit::Folder {
        name,
        special_use,
        selectable
    }
);
same_record!(
    FolderState,
    wit::FolderState {
        uid_validity,
        uid_next,
        messages
    }
);
same_record!(
    ListedMail,
    wit::ListedMail {
        uid,
        message_id,
        size
    }
);
same_record!(
    MailRef,
    wit::MailRef {
        folder,
        uid_validity,
        uid
    }
);
