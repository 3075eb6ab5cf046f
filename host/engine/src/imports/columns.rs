//! Which column of a file is which field (PR-2).

use std::collections::BTreeMap;

use overture_domain::{
    ProspectId, Timestamp, WorkspaceId, names,
    prospects::{Prospect, custom_field_name, email_problem},
};

use crate::{Error, Result};

names! {
    /// A field of a prospect that a file can fill.
    Field {
        Email = "email",
        FirstName = "firstName",
        LastName = "lastName",
        Company = "company",
        Role = "role",
        Phone = "phone",
        LinkedinUrl = "linkedinUrl",
        Website = "website",
        Country = "country",
        City = "city",
        Industry = "industry",
        Timezone = "timezone",
        Tags = "tags",
    }
}

/// What headers are called in the wild, folded by [`folded`].
fn synonym(header: &str) -> Option<Field> {
    Some(match header {
        "email" | "emailaddress" | "mail" | "mailaddress" | "workemail" | "businessemail"
        | "contactemail" | "primaryemail" => Field::Email,
        "firstname" | "givenname" | "forename" | "first" | "vorname" => Field::FirstName,
        "lastname" | "surname" | "familyname" | "last" | "nachname" => Field::LastName,
        "company" | "companyname" | "organization" | "organisation" | "account" | "accountname"
        | "employer" | "firma" => Field::Company,
        "role" | "title" | "jobtitle" | "position" | "job" => Field::Role,
        "phone" | "phonenumber" | "telephone" | "mobile" | "mobilephone" | "tel" => Field::Phone,
        "linkedin" | "linkedinurl" | "linkedinprofile" | "linkedinprofileurl"
        | "personlinkedinurl" => Field::LinkedinUrl,
        "website" | "url" | "companywebsite" | "domain" | "web" => Field::Website,
        "country" => Field::Country,
        "city" | "town" => Field::City,
        "industry" | "sector" => Field::Industry,
        "timezone" | "tz" => Field::Timezone,
        "tags" | "tag" | "labels" => Field::Tags,
        _ => return None,
    })
}

/// A header without case, spaces and punctuation: `E-Mail Address` → `emailaddress`.
fn folded(header: &str) -> String {
    header
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Field(Field),
    Custom(String),
    Ignored,
}

/// What each column of a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns(Vec<Column>);

impl Columns {
    /// Finds out what the columns hold: by the caller's mapping, by `custom:NAME`, by the usual
    /// names, else as a custom field of the header's name. A file whose headers name no address is
    /// searched for the one column that holds addresses; where there are LinkedIn profiles it may
    /// have none (PR-1).
    ///
    /// # Errors
    /// When no column says who somebody is, or two claim the same field, or the mapping names what is
    /// not there.
    pub(super) fn find<'a>(
        headers: &csv::StringRecord,
        mapping: &BTreeMap<String, String>,
        rows: impl Iterator<Item = &'a csv::StringRecord>,
    ) -> Result<Self> {
        if let Some(missing) = mapping
            .keys()
            .find(|name| !headers.iter().any(|header| header == name.as_str()))
        {
            let message = format!(
                "the file has no column `{missing}`; it has: {}",
                quoted(headers.iter())
            );
            return Err(Error::field("mapping", "unknown_column", message));
        }
        let mut columns = Vec::with_capacity(headers.len());
        for header in headers {
            columns.push(match mapping.get(header) {
                Some(target) => mapped(target)?,
                None => guessed(header),
            });
        }
        let mut columns = Self(columns);
        if !columns.0.contains(&Column::Field(Field::Email)) {
            columns.find_addresses(headers, rows)?;
        }
        columns.refuse_doubles(headers)?;
        Ok(columns)
    }

    /// How many columns there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Which column holds a field, from 0.
    pub(super) fn position(&self, field: Field) -> Option<usize> {
        let column = Column::Field(field);
        self.0.iter().position(|one| *one == column)
    }

    fn find_addresses<'a>(
        &mut self,
        headers: &csv::StringRecord,
        rows: impl Iterator<Item = &'a csv::StringRecord>,
    ) -> Result<()> {
        let sample: Vec<_> = rows.take(50).collect();
        let holds_addresses = |column: usize| {
            let values: Vec<_> = sample
                .iter()
                .filter_map(|row| row.get(column))
                .filter(|value| !value.is_empty())
                .collect();
            !values.is_empty()
                && values
                    .iter()
                    .filter(|value| email_problem(value).is_none())
                    .count()
                    * 2
                    > values.len()
        };
        let found: Vec<_> = (0..self.0.len())
            .filter(|column| holds_addresses(*column))
            .collect();
        match found[..] {
            [column] => {
                self.0[column] = Column::Field(Field::Email);
                Ok(())
            }
            [] if self.0.contains(&Column::Field(Field::LinkedinUrl)) => Ok(()),
            [] => {
                let message = format!(
                    "no column holds e-mail addresses; the file has: {}. Name one `email`, or map it; `linkedinUrl` will do for people whose address is not known",
                    quoted(headers.iter())
                );
                Err(Error::field("file", "no_email_column", message))
            }
            _ => {
                let names = quoted(found.iter().filter_map(|column| headers.get(*column)));
                let message = format!(
                    "several columns hold e-mail addresses ({names}): map the one to use to `email`"
                );
                Err(Error::field("file", "ambiguous_columns", message))
            }
        }
    }

    fn refuse_doubles(&self, headers: &csv::StringRecord) -> Result<()> {
        for (index, column) in self.0.iter().enumerate() {
            if matches!(column, Column::Field(_)) && self.0[..index].contains(column) {
                let same = self
                    .0
                    .iter()
                    .zip(headers)
                    .filter(|(other, _)| *other == column)
                    .map(|(_, header)| header);
                let Column::Field(field) = column else {
                    continue;
                };
                let message = format!(
                    "the columns {} all mean `{field}`: map one of them to it and the others to `ignore` or `custom:NAME`",
                    quoted(same)
                );
                return Err(Error::field("file", "ambiguous_columns", message));
            }
        }
        Ok(())
    }

    /// The prospect of a record with as many fields as there are columns.
    pub(super) fn prospect(
        &self,
        record: &csv::StringRecord,
        id: ProspectId,
        workspace_id: WorkspaceId,
        now: Timestamp,
    ) -> Prospect {
        let value = |field| {
            self.position(field)
                .and_then(|column| record.get(column))
                .unwrap_or_default()
                .to_owned()
        };
        let custom = self
            .0
            .iter()
            .zip(record)
            .filter_map(|(column, value)| match column {
                Column::Custom(name) if !value.is_empty() => Some((name.clone(), value.to_owned())),
                _ => None,
            });
        Prospect {
            first_name: value(Field::FirstName),
            last_name: value(Field::LastName),
            company: value(Field::Company),
            role: value(Field::Role),
            phone: value(Field::Phone),
            linkedin_url: value(Field::LinkedinUrl),
            website: value(Field::Website),
            country: value(Field::Country),
            city: value(Field::City),
            industry: value(Field::Industry),
            time_zone: value(Field::Timezone),
            tags: value(Field::Tags)
                .split([',', ';'])
                .map(|tag| tag.trim().to_owned())
                .filter(|tag| !tag.is_empty())
                .collect(),
            custom: custom.collect(),
            ..Prospect::new(id, workspace_id, value(Field::Email), "csv", now)
        }
    }
}

fn mapped(target: &str) -> Result<Column> {
    if target == "ignore" {
        return Ok(Column::Ignored);
    }
    if let Some(name) = target.strip_prefix("custom:") {
        return Ok(Column::Custom(custom_field_name(name)));
    }
    let field = target.parse().map_err(|error| {
        Error::field(
            "mapping",
            "unknown_field",
            format!("{error}; or `custom:NAME`, or `ignore`"),
        )
    })?;
    Ok(Column::Field(field))
}

fn guessed(header: &str) -> Column {
    if let Some((kind, name)) = header.split_once(':')
        && folded(kind) == "custom"
    {
        return Column::Custom(custom_field_name(name));
    }
    let folded = folded(header);
    match synonym(&folded) {
        Some(field) => Column::Field(field),
        // What our own file of rejected rows adds.
        None if ["importline", "importresult", "importreason"].contains(&&*folded) => {
            Column::Ignored
        }
        None if header.is_empty() => Column::Ignored,
        None => Column::Custom(custom_field_name(header)),
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], rows: &[&[&str]], mapping: &[(&str, &str)]) -> Result<Columns> {
        let rows: Vec<_> = rows
            .iter()
            .map(|row| csv::StringRecord::from(row.to_vec()))
            .collect();
        let mapping = mapping
            .iter()
            .map(|(from, to)| ((*from).to_owned(), (*to).to_owned()))
            .collect();
        Columns::find(
            &csv::StringRecord::from(headers.to_vec()),
            &mapping,
            rows.iter(),
        )
    }

    fn custom(name: &str) -> Column {
        Column::Custom(name.to_owned())
    }

    // PR-2: synonyms, custom: prefix, mapping by hand.
    #[test]
    fn headers_are_understood() {
        let found = check(
            &[
                "E-Mail Address",
                "Given name",
                "Custom: Last Visit",
                "Favourite Color",
                "x",
            ],
            &[],
            &[("x", "ignore")],
        );
        let expected = [
            Column::Field(Field::Email),
            Column::Field(Field::FirstName),
            custom("last_visit"),
            custom("favourite_color"),
            Column::Ignored,
        ];
        assert_eq!(found.unwrap().0, expected);
    }

    #[test]
    fn a_column_of_addresses_is_found_without_a_name() {
        let found = check(
            &["who", "where"],
            &[&["Ada", "ada@example.com"], &["Bob", ""]],
            &[],
        )
        .unwrap();
        assert_eq!(found.0, [custom("who"), Column::Field(Field::Email)]);
    }

    // PR-1: the profile says who it is.
    #[test]
    fn a_file_may_have_profiles_alone() {
        let headers = &["name", "LinkedIn profile"];
        let found = check(headers, &[&["Ada", "linkedin.com/in/ada-l"]], &[]).unwrap();
        assert_eq!(found.0, [custom("name"), Column::Field(Field::LinkedinUrl)]);
        let found = check(
            headers,
            &[&["ada@example.com", "linkedin.com/in/ada-l"]],
            &[],
        )
        .unwrap();
        assert_eq!(
            found.0[0],
            Column::Field(Field::Email),
            "a column of addresses counts all the same"
        );
    }

    #[test]
    fn what_is_unclear_is_refused() {
        for (headers, rows, mapping, says) in [
            (
                &["name", "city"][..],
                &[&["Ada", "Rome"][..]][..],
                &[][..],
                "no column holds e-mail addresses; the file has: `name`, `city`",
            ),
            (
                &["email", "Work Email"],
                &[],
                &[],
                "the columns `email`, `Work Email` all mean `email`",
            ),
            (
                &["a", "b"],
                &[&["x@example.com", "y@example.com"]],
                &[],
                "several columns hold e-mail addresses (`a`, `b`)",
            ),
            (
                &["email"],
                &[],
                &[("mail", "email")],
                "the file has no column `mail`; it has: `email`",
            ),
            (
                &["email"],
                &[],
                &[("email", "mail")],
                "`mail` is none of: email, firstName",
            ),
        ] {
            let error = check(headers, rows, mapping).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
