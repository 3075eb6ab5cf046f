//! Numbers as Liquid has them: whole numbers stay whole, fractions are computed in decimal
//! (10.1 - 2.2 is 7.9), text counts as the number it starts with.

use std::{cmp::Ordering, fmt};

use crate::Value;

/// A number in a computation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// What a value counts as; 0 when it is no number.
    pub(crate) fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Int(n) => Self::Int(*n),
            Value::Float(n) => Self::Float(*n),
            Value::Text(text) | Value::Html(text) => Self::parse(text),
            _ => Self::Int(0),
        }
    }

    /// `12`, `-3.5`, or the whole number at the front.
    fn parse(text: &str) -> Self {
        let text = text.trim();
        let sign = usize::from(text.starts_with(['-', '+']));
        let digits = text[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let whole = sign + digits;
        let fraction = text[whole..].strip_prefix('.').unwrap_or("");
        if digits > 0 && !fraction.is_empty() && fraction.bytes().all(|b| b.is_ascii_digit()) {
            return text.parse().map_or(Self::Int(0), Self::Float);
        }
        match text[..whole].parse() {
            Ok(n) => Self::Int(n),
            Err(_) => text[..whole].parse().map_or(Self::Int(0), Self::Float),
        }
    }

    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(n) => n,
        }
    }

    pub(crate) fn is_zero(self) -> bool {
        self.as_f64() == 0.0
    }

    pub(crate) fn abs(self) -> Self {
        match self {
            Self::Int(n) => n
                .checked_abs()
                .map_or(Self::Float((n as f64).abs()), Self::Int),
            Self::Float(n) => Self::Float(n.abs()),
        }
    }

    pub(crate) fn add(self, other: Self) -> Self {
        self.combine(other, i64::checked_add, Decimal::add, |a, b| a + b)
    }

    pub(crate) fn subtract(self, other: Self) -> Self {
        self.combine(other, i64::checked_sub, Decimal::subtract, |a, b| a - b)
    }

    pub(crate) fn multiply(self, other: Self) -> Self {
        self.combine(other, i64::checked_mul, Decimal::multiply, |a, b| a * b)
    }

    /// Whole numbers are divided downwards: -7 by 2 is -4. `None` by zero.
    pub(crate) fn divide(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        Some(match (self, other) {
            (Self::Int(a), Self::Int(b)) => {
                let floor = |q: i64| {
                    if a % b != 0 && (a < 0) != (b < 0) {
                        q - 1
                    } else {
                        q
                    }
                };
                a.checked_div(b)
                    .map_or(Self::Float(a as f64 / b as f64), |q| Self::Int(floor(q)))
            }
            (a, b) => Self::Float(a.as_f64() / b.as_f64()),
        })
    }

    /// The remainder has the sign of the divisor. `None` by zero.
    pub(crate) fn remainder(self, other: Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let whole = |a: i64, b: i64| {
            let r = a.checked_rem(b)?;
            Some(if r != 0 && (r < 0) != (b < 0) {
                r + b
            } else {
                r
            })
        };
        Some(self.combine(other, whole, Decimal::remainder, |a, b| {
            a - b * (a / b).floor()
        }))
    }

    fn combine(
        self,
        other: Self,
        whole: impl Fn(i64, i64) -> Option<i64>,
        decimal: impl Fn(Decimal, Decimal) -> Option<Decimal>,
        float: impl Fn(f64, f64) -> f64,
    ) -> Self {
        if let (Self::Int(a), Self::Int(b)) = (self, other)
            && let Some(n) = whole(a, b)
        {
            return Self::Int(n);
        }
        let exact = Decimal::of(self)
            .zip(Decimal::of(other))
            .and_then(|(a, b)| decimal(a, b));
        Self::Float(match exact {
            Some(n) => n.to_f64(),
            None => float(self.as_f64(), other.as_f64()),
        })
    }

    /// Rounded to `places` decimal places, halves away from zero; whole for 0 and less.
    pub(crate) fn round(self, places: i64) -> Self {
        match self {
            Self::Int(n) if places >= 0 => Self::Int(n),
            _ if places > 0 => {
                let places = places.min(15) as u32;
                let n = self.as_f64();
                Self::Float(match Decimal::of(self).and_then(|d| d.round(places)) {
                    Some(rounded) => rounded.to_f64(),
                    None => n,
                })
            }
            _ => {
                let unit = 10f64.powi(places.unsigned_abs().min(300) as i32);
                Self::whole((self.as_f64() / unit).round() * unit)
            }
        }
    }

    pub(crate) fn floor(self) -> Self {
        match self {
            Self::Int(_) => self,
            Self::Float(n) => Self::whole(n.floor()),
        }
    }

    pub(crate) fn ceil(self) -> Self {
        match self {
            Self::Int(_) => self,
            Self::Float(n) => Self::whole(n.ceil()),
        }
    }

    fn whole(n: f64) -> Self {
        if n.abs() < 9e18 {
            Self::Int(n as i64)
        } else {
            Self::Float(n)
        }
    }

    pub(crate) fn compare(self, other: Self) -> Ordering {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(&b),
            (a, b) => a
                .as_f64()
                .partial_cmp(&b.as_f64())
                .unwrap_or(Ordering::Equal),
        }
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(n) => Value::Int(n),
            Number::Float(n) => Value::Float(n),
        }
    }
}

/// A whole number where only that will do: `None` for text that is none, and for fractions.
pub(crate) fn strict_int(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        Value::Text(text) | Value::Html(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A whole number, fractions cut off.
pub(crate) fn lax_int(value: &Value<'_>) -> i64 {
    match Number::of(value) {
        Number::Int(n) => n,
        Number::Float(n) => n as i64,
    }
}

/// `5.0`, `0.25`, `1.0e+20`.
pub(crate) fn write_float(out: &mut impl fmt::Write, n: f64) -> fmt::Result {
    let size = n.abs();
    if !n.is_finite() || (size != 0.0 && !(1e-4..1e16).contains(&size)) {
        let text = format!("{n:e}");
        return match text.split_once('e') {
            Some((digits, power)) => {
                let point = if digits.contains('.') { "" } else { ".0" };
                let sign = if power.starts_with('-') { "" } else { "+" };
                write!(out, "{digits}{point}e{sign}{power}")
            }
            None => out.write_str(&text),
        };
    }
    if n.fract() == 0.0 {
        write!(out, "{n:.1}")
    } else {
        write!(out, "{n}")
    }
}

/// `digits / 10^scale`.
#[derive(Clone, Copy, Debug)]
struct Decimal {
    digits: i128,
    scale: u32,
}

impl Decimal {
    /// Exactly the number that is printed; `None` when it has too many digits.
    fn of(number: Number) -> Option<Self> {
        match number {
            Number::Int(n) => Some(Self {
                digits: n.into(),
                scale: 0,
            }),
            Number::Float(n) => {
                let text = format!("{n}");
                let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
                if whole.len() + fraction.len() > 34 {
                    return None;
                }
                Some(Self {
                    digits: format!("{whole}{fraction}").parse().ok()?,
                    scale: fraction.len() as u32,
                })
            }
        }
    }

    fn to_f64(self) -> f64 {
        format!("{}e-{}", self.digits, self.scale)
            .parse()
            .unwrap_or(f64::NAN)
    }

    /// Both with the same scale.
    fn align(self, other: Self) -> Option<(i128, i128, u32)> {
        let scale = self.scale.max(other.scale);
        let lift = |d: Self| d.digits.checked_mul(10i128.checked_pow(scale - d.scale)?);
        Some((lift(self)?, lift(other)?, scale))
    }

    fn add(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.align(other)?;
        Some(Self {
            digits: a.checked_add(b)?,
            scale,
        })
    }

    fn subtract(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.align(other)?;
        Some(Self {
            digits: a.checked_sub(b)?,
            scale,
        })
    }

    fn multiply(self, other: Self) -> Option<Self> {
        Some(Self {
            digits: self.digits.checked_mul(other.digits)?,
            scale: self.scale + other.scale,
        })
    }

    fn remainder(self, other: Self) -> Option<Self> {
        let (a, b, scale) = self.align(other)?;
        let r = a.checked_rem(b)?;
        let digits = if r != 0 && (r < 0) != (b < 0) {
            r + b
        } else {
            r
        };
        Some(Self { digits, scale })
    }

    fn round(self, places: u32) -> Option<Self> {
        if self.scale <= places {
            return Some(self);
        }
        let unit = 10i128.checked_pow(self.scale - places)?;
        let half = if self.digits < 0 { -unit / 2 } else { unit / 2 };
        Some(Self {
            digits: (self.digits + half) / unit,
            scale: places,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(n: f64) -> String {
        let mut text = String::new();
        write_float(&mut text, n).unwrap();
        text
    }

    #[test]
    fn floats_show_as_liquid_shows_them() {
        assert_eq!(shown(5.0), "5.0");
        assert_eq!(shown(0.25), "0.25");
        assert_eq!(shown(-0.0), "-0.0");
        assert_eq!(shown(1e20), "1.0e+20");
        assert_eq!(shown(1.5e-7), "1.5e-7");
    }

    #[test]
    fn fractions_are_decimal() {
        let f = Number::Float;
        assert_eq!(f(10.1).subtract(f(2.2)).as_f64(), 7.9);
        assert_eq!(f(0.1).add(f(0.2)).as_f64(), 0.3);
        assert_eq!(f(10.1).remainder(f(7.0)).unwrap().as_f64(), 3.1);
        assert_eq!(f(1.005).round(2).as_f64(), 1.01);
    }

    #[test]
    fn whole_numbers_divide_downwards_and_never_overflow() {
        let i = Number::Int;
        assert_eq!(i(-7).divide(i(2)).unwrap().as_f64(), -4.0);
        assert_eq!(i(-7).remainder(i(2)).unwrap().as_f64(), 1.0);
        assert!(i(7).divide(i(0)).is_none());
        for (a, b) in [(i64::MIN, -1), (i64::MAX, 2), (i64::MIN, i64::MIN)] {
            for n in [
                i(a).add(i(b)),
                i(a).subtract(i(b)),
                i(a).multiply(i(b)),
                i(a).abs(),
            ] {
                assert!(n.as_f64().is_finite());
            }
            assert!(i(a).divide(i(b)).is_some() && i(a).remainder(i(b)).is_some());
        }
    }

    #[test]
    fn text_counts_as_the_number_at_its_front() {
        let n = |text: &'static str| Number::of(&Value::from(text)).as_f64();
        assert_eq!(
            (n("12"), n(" -3.5 "), n("7 days"), n("x"), n("1.2.3")),
            (12.0, -3.5, 7.0, 0.0, 1.0)
        );
    }
}
