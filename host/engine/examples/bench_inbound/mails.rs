//! A mix of mails as campaigns get them: most are answers of people, the rest of machines.

/// A mail of ours that was sent.
pub(crate) struct Sent {
    pub to: String,
    pub message_id: String,
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reply,
    OutOfOffice,
    Unsubscribe,
    HardBounce,
    SoftBounce,
    /// The owner's own correspondence.
    Other,
}

impl Kind {
    /// Of the mail at this place: of 20 mails 11 replies, 3 notices, 1 wish to hear no more, 2 hard
    /// bounces, 1 soft one and 2 mails that are none of ours.
    pub(crate) fn of(n: usize) -> Self {
        match n % 20 {
            0 | 7 => Self::HardBounce,
            3 => Self::SoftBounce,
            5 | 11 | 16 => Self::OutOfOffice,
            9 => Self::Unsubscribe,
            13 | 19 => Self::Other,
            _ => Self::Reply,
        }
    }
}

/// The bytes of the mail at this place, which answers `sent`.
pub(crate) fn mail(kind: Kind, n: usize, sent: &Sent, address: &str) -> Vec<u8> {
    let Sent { to, message_id } = sent;
    let headers = |subject: &str| {
        format!(
            "Return-Path: <{to}>\r\n\
             Received: from mx.example.net (mx.example.net [192.0.2.25]) by mx.sender.test (Postfix) with ESMTPS id 4XYZ{n}\r\n\
             \tfor <{address}>; Mon, 2 Mar 2026 09:1{}:00 +0000 (UTC)\r\n\
             DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=s1;\r\n\
             \th=from:to:subject:date:message-id; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\
             \tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\n\
             From: \"Zoë Example\" <{to}>\r\nTo: Ada <{address}>\r\nSubject: {subject}\r\n\
             Date: Mon, 2 Mar 2026 09:1{}:00 +0100\r\nMessage-ID: <back-{message_id}>\r\nMIME-Version: 1.0\r\n",
            n % 10,
            n % 10
        )
    };
    let answers = format!("In-Reply-To: <{message_id}>\r\nReferences: <{message_id}>\r\n");
    let plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    let text = match kind {
        Kind::Reply => reply(&headers("Re: Hello Zoë"), &answers, n),
        Kind::OutOfOffice => format!(
            "{}{answers}Auto-Submitted: auto-replied\r\nX-Auto-Response-Suppress: All\r\n{plain}\
             Thank you for your mail. I am out of the office until 16 March 2026 with limited access to mail.\r\n\
             In urgent cases please write to team@example.net.\r\n\r\nKind regards\r\nZoë\r\n",
            headers("Automatic reply: Hello Zoë")
        ),
        Kind::Unsubscribe => format!(
            "{}{answers}{plain}Please remove me from your list, and do not write again.\r\n\r\nZoë\r\n{QUOTED}",
            headers("Re: Hello Zoë")
        ),
        Kind::HardBounce => bounce(sent, n, address, "5.1.1", "550 5.1.1 User unknown"),
        Kind::SoftBounce => bounce(sent, n, address, "4.2.2", "452 4.2.2 Mailbox full"),
        Kind::Other => format!(
            "From: Linus <linus@example.org>\r\nTo: {address}\r\nSubject: Lunch?\r\nMessage-ID: <{n}-{message_id}-other@example.org>\r\n{plain}\
             Shall we meet at noon? I have booked a table for four.\r\n"
        ),
    };
    text.into_bytes()
}

const ANSWERS: [&str; 4] = [
    "Thanks for reaching out. This sounds interesting, could you send me more on prices, and some times for a call next week?",
    "I am not the right person for this. Please write to our head of operations, who decides about tools like yours.",
    "Thanks, but we are not interested at the moment; we have just signed with another vendor for two years.",
    "Could you tell me how this differs from what we use today? We are a team of forty in three countries.",
];

const QUOTED: &str = "\r\nOn Mon, 2 Mar 2026 at 08:00, Ada <ada@sender.test> wrote:\r\n\
    > Hello Zoë,\r\n>\r\n> I saw that Example & Sons is growing in Springfield, and that you lead the sales there.\r\n\
    > We help teams like yours to find out which of their mails are read and which are answered,\r\n\
    > without a consultant and without a project.\r\n>\r\n> Is it worth ten minutes of your time next week?\r\n>\r\n> Ada\r\n";

fn reply(headers: &str, answers: &str, n: usize) -> String {
    let words = ANSWERS[n % ANSWERS.len()];
    let signature = "-- \r\nZoë Example\r\nHead of Sales, Example & Sons\r\n+1 555 0100\r\n";
    let boundary = "=_a1b2c3d4";
    format!(
        "{headers}{answers}Content-Type: multipart/alternative; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHello Ada,\r\n\r\n{words}\r\n\r\n{signature}{QUOTED}\r\n\
         --{boundary}\r\nContent-Type: text/html; charset=utf-8\r\n\r\n\
         <html><body><div dir=\"ltr\">Hello Ada,<br><br>{words}<br><br></div><div class=\"gmail_signature\">Zoë Example<br>Head of Sales</div>\
         <div class=\"gmail_quote\"><div>On Mon, 2 Mar 2026 at 08:00, Ada wrote:<br></div><blockquote>{}</blockquote></div></body></html>\r\n\
         --{boundary}--\r\n",
        QUOTED.replace("\r\n>", "<br>")
    )
}

fn bounce(sent: &Sent, n: usize, address: &str, status: &str, words: &str) -> String {
    let Sent { to, message_id } = sent;
    let boundary = "4XYZ.1772442000/mx.example.net";
    format!(
        "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.net (Mail Delivery System)\r\nTo: {address}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMessage-ID: <dsn{n}-{message_id}>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nThis is the mail system at host mx.example.net.\r\n\r\n\
         I'm sorry to have to inform you that your message could not be delivered.\r\n\r\n<{to}>: {words}\r\n\r\n\
         --{boundary}\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.net\r\nArrival-Date: Mon,  2 Mar 2026 08:00:00 +0000 (UTC)\r\n\r\n\
         Final-Recipient: rfc822; {to}\r\nOriginal-Recipient: rfc822;{to}\r\nAction: failed\r\nStatus: {status}\r\nDiagnostic-Code: smtp; {words}\r\n\r\n\
         --{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: Ada <{address}>\r\nTo: {to}\r\nSubject: Hello Zoë\r\nMessage-ID: <{message_id}>\r\n\r\n\
         --{boundary}--\r\n"
    )
}
