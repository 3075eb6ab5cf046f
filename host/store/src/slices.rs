//! Pages of lists: one way to sort them, and to go on where the page before ended (API-2).

use overture_domain::{Id, id::Kind, names};

use crate::query::Query;

/// What the rows of a list can be sorted by.
pub trait Sort: Copy + 'static {
    /// Without a choice: the order in which the rows were made.
    const DEFAULT: Self;

    /// A column that is never NULL; `None` for the id, which grows with time.
    fn column(self) -> Option<&'static str>;
}

names! {
    /// For lists that have only the order in which their rows were made.
    ByAge { CreatedAt = "createdAt" }
}

impl Sort for ByAge {
    const DEFAULT: Self = Self::CreatedAt;

    fn column(self) -> Option<&'static str> {
        None
    }
}

/// Which part of a list, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice<S> {
    pub by: S,
    pub descending: bool,
    /// The last row of the page before.
    pub after: Option<Place>,
    pub limit: i64,
}

/// The place of a row in its list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What [`Sort::column`] holds, where there is one.
    pub key: Option<String>,
    pub id: String,
}

impl<S: Sort> Slice<S> {
    /// The first rows as they were made, oldest first.
    pub fn first(limit: i64) -> Self {
        Self {
            by: S::DEFAULT,
            descending: false,
            after: None,
            limit,
        }
    }

    /// Rows as they were made, after one.
    pub fn after<K: Kind>(id: Id<K>, limit: i64) -> Self {
        let place = Place {
            key: None,
            id: id.to_string(),
        };
        Self {
            after: Some(place),
            ..Self::first(limit)
        }
    }
}

impl Query {
    /// Takes a slice of the rows. `id` is the column of their ids; the statement has a WHERE.
    pub(crate) fn slice<S: Sort>(mut self, id: &'static str, slice: &Slice<S>) -> Self {
        let (than, order) = match slice.descending {
            true => (" < ", " DESC"),
            false => (" > ", ""),
        };
        let Some(column) = slice.by.column() else {
            if let Some(after) = &slice.after {
                self = self.push(" AND ").push(id).push_bind(than, &after.id);
            }
            let sorted = self.push(" ORDER BY ").push(id).push(order);
            return sorted.push_bind(" LIMIT ", slice.limit);
        };
        if let Some(after) = &slice.after {
            let key = after.key.as_deref().unwrap_or_default();
            self = self.push(" AND (").push(column).push(", ");
            self = self.push(id).push(")").push(than).push_bind("(", key);
            self = self.push_bind(", ", &after.id).push(")");
        }
        self = self.push(" ORDER BY ").push(column);
        self = self.push(order).push(", ").push(id).push(order);
        self.push_bind(" LIMIT ", slice.limit)
    }
}
