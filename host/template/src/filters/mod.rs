//! The filters of Shopify Liquid, and `raw`.

macro_rules! filters {
    ($($variant:ident $name:literal $min:literal..=$max:literal;)*) => {
        /// A filter, known by its number from the parse on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Filter { $($variant),* }

        impl Filter {
            /// All names, for "did you mean".
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),*];

            pub(crate) fn find(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    "h" => Some(Self::Escape),
                    _ => None,
                }
            }

            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// How many arguments it takes: at least and at most.
            pub(crate) fn arity(self) -> (usize, usize) {
                match self { $(Self::$variant => ($min, $max)),* }
            }
        }
    };
}

filters! {
    Abs "abs" 0..=0;
    Append "append" 1..=1;
    AtLeast "at_least" 1..=1;
    AtMost "at_most" 1..=1;
    Base64Decode "base64_decode" 0..=0;
    Base64Encode "base64_encode" 0..=0;
    Base64UrlSafeDecode "base64_url_safe_decode" 0..=0;
    Base64UrlSafeEncode "base64_url_safe_encode" 0..=0;
    Capitalize "capitalize" 0..=0;
    Ceil "ceil" 0..=0;
    Compact "compact" 0..=1;
    Concat "concat" 1..=1;
    Date "date" 1..=1;
    Default "default" 0..=1;
    DividedBy "divided_by" 1..=1;
    Downcase "downcase" 0..=0;
    Escape "escape" 0..=0;
    EscapeOnce "escape_once" 0..=0;
    Find "find" 1..=2;
    FindIndex "find_index" 1..=2;
    First "first" 0..=0;
    Floor "floor" 0..=0;
    Has "has" 1..=2;
    Join "join" 0..=1;
    Last "last" 0..=0;
    Lstrip "lstrip" 0..=0;
    Map "map" 1..=1;
    Minus "minus" 1..=1;
    Modulo "modulo" 1..=1;
    NewlineToBr "newline_to_br" 0..=0;
    Plus "plus" 1..=1;
    Prepend "prepend" 1..=1;
    Raw "raw" 0..=0;
    Reject "reject" 1..=2;
    Remove "remove" 1..=1;
    RemoveFirst "remove_first" 1..=1;
    RemoveLast "remove_last" 1..=1;
    Replace "replace" 1..=2;
    ReplaceFirst "replace_first" 1..=2;
    ReplaceLast "replace_last" 2..=2;
    Reverse "reverse" 0..=0;
    Round "round" 0..=1;
    Rstrip "rstrip" 0..=0;
    Size "size" 0..=0;
    Slice "slice" 1..=2;
    Sort "sort" 0..=1;
    SortNatural "sort_natural" 0..=1;
    Split "split" 1..=1;
    Strip "strip" 0..=0;
    StripHtml "strip_html" 0..=0;
    StripNewlines "strip_newlines" 0..=0;
    Sum "sum" 0..=1;
    Times "times" 1..=1;
    Truncate "truncate" 0..=2;
    Truncatewords "truncatewords" 0..=2;
    Uniq "uniq" 0..=1;
    Upcase "upcase" 0..=0;
    UrlDecode "url_decode" 0..=0;
    UrlEncode "url_encode" 0..=0;
    Where "where" 1..=2;
}
