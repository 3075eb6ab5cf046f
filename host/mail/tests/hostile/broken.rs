//! Mails put together from pieces at random: never a panic, never out of bounds, and a text in
//! them is not lost.

use overture_mail::inbound::{Inbound, parse};
use proptest::prelude::*;

use crate::within_bounds;

const MARK: &str = "the words that count";

const PIECES: &[&str] = &[
    "From: ada@sender.test\r\n",
    "From: MAILER-DAEMON@x.test\r\n",
    "Subject: =?utf-8?b?w6TDtsO8?=\r\n",
    "Subject: failure notice\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n",
    "Content-Type: multipart/alternative; boundary=\"c\"\r\n",
    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n",
    "Content-Type: multipart;boundary=b5\r\n",
    "Content-Type: message/rfc822\r\n",
    "Content-Type: message/delivery-status\r\n",
    "Content-Type: text/plain; charset=iso-8859-1\r\n",
    "Content-Type: text/html\r\n",
    "Content-Type: text/plain; charset=x-none\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Transfer-Encoding: quoted-printable\r\n",
    "Content-Disposition: attachment; filename=a.txt\r\n",
    "Final-Recipient: rfc822; p1@d1.test\r\nAction: failed\r\nStatus: 5.1.1\r\n",
    "\r\n",
    "\n",
    "--b\r\n",
    "--b--\r\n",
    "--c\r\n",
    "--c--\r\n",
    "--b5",
    "--b5--",
    "QUJD\r\n",
    "=C3=A4=\r\n",
    "<p>&amp;<b>",
    "<p1@d1.test>:\r\n",
    "> quoted\r\n",
    "-- \r\n",
    "\0",
    "ü",
];

fn soup() -> impl Strategy<Value = String> {
    let pieces = prop::collection::vec(prop::sample::select(PIECES), 0..40);
    pieces.prop_map(|pieces| pieces.concat())
}

/// A reader still finds something: text, HTML, or a part that is listed.
fn is_kept(mail: &Inbound) -> bool {
    !mail.text.trim().is_empty() || mail.html.is_some() || !mail.attachments.is_empty()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_soup_of_pieces_makes_it_panic(soup in soup(), cut in any::<prop::sample::Index>()) {
        within_bounds(&parse(soup.as_bytes()));
        within_bounds(&parse(&soup.as_bytes()[..cut.index(soup.len() + 1)]));
    }

    // What stands before the first boundary is for old programs: of a mail without anything else
    // it is read all the same.
    #[test]
    fn a_mail_with_words_is_not_read_as_empty(before in soup(), after in soup()) {
        let mail = format!("Subject: x\r\n{before}\r\n\r\n{MARK}\r\n{after}");
        let read = parse(mail.as_bytes());
        prop_assert!(is_kept(&read), "{mail:?}\n{read:?}");
    }
}
