//! Remembered mappings: what the columns of a kind of file hold, under a name.

use entity::column_mapping;
use sea_orm::sea_query::OnConflict;
use sea_orm::{EntityTrait, IntoActiveModel, QueryOrder};

use crate::directory::attribute::LONGEST_TITLE;
use crate::directory::csv::{ColumnSource, Mapping};
use crate::directory::{Directory, Error, Result};
use crate::value::fold;

/// What the columns of a kind of file hold, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnMapping {
    /// The name.
    pub name: String,
    /// Per column title, what it holds.
    pub columns: Vec<(String, ColumnSource)>,
}

impl Directory {
    /// All remembered mappings, by name.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn list_column_mappings(&self) -> Result<Vec<ColumnMapping>> {
        let query = column_mapping::Entity::find().order_by_asc(column_mapping::Column::NameKey);
        query.all(self.database().readers()).await?.into_iter().map(|row| self.read_mapping(row)).collect()
    }

    /// Forgets a mapping.
    ///
    /// # Errors
    /// `NotFound`; where the database is busy or away.
    pub async fn delete_column_mapping(&self, name: &str) -> Result<()> {
        let transaction = self.database().begin_side_write().await?;
        let deleted = column_mapping::Entity::delete_by_id(fold(name)).exec(&transaction).await?;
        self.database().commit(transaction).await?;
        if deleted.rows_affected == 0 {
            let known = self.list_column_mappings().await?;
            return Err(Error::unknown("column mapping", name, known.iter().map(|mapping| mapping.name.as_str())));
        }
        Ok(())
    }

    /// Adds what is remembered under `name` to `mapping`, and remembers what it says itself from now on.
    pub(super) async fn remember_mapping(&self, name: &str, mapping: &mut Mapping) -> Result<()> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > LONGEST_TITLE {
            let message = format!("a name has 1 to {LONGEST_TITLE} characters");
            return Err(Error::invalid("mapping", "OUT_OF_BOUNDS", message));
        }
        let found = column_mapping::Entity::find_by_id(fold(name)).one(self.database().readers()).await?;
        let known = found.map(|row| self.read_mapping(row)).transpose()?;
        if known.is_none() && mapping.columns.is_empty() {
            let all = self.list_column_mappings().await?;
            return Err(Error::unknown("column mapping", name, all.iter().map(|mapping| mapping.name.as_str())));
        }
        let said: Vec<String> = mapping.columns.iter().map(|(title, _)| fold(title)).collect();
        let known = known.into_iter().flat_map(|known| known.columns);
        mapping.remembered = known.filter(|(title, _)| !said.contains(&fold(title))).collect();
        if mapping.columns.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = mapping.columns.iter().chain(&mapping.remembered).collect();
        let row = column_mapping::Model {
            name_key: fold(name),
            name: name.to_owned(),
            mapping: serde_json::to_string(&all).map_err(Error::internal)?,
            updated_at: self.clock().now(),
        };
        use column_mapping::Column;
        let over = OnConflict::column(Column::NameKey)
            .update_columns([Column::Name, Column::Mapping, Column::UpdatedAt])
            .to_owned();
        let transaction = self.database().begin_side_write().await?;
        let insert = column_mapping::Entity::insert(row.into_active_model()).on_conflict(over);
        insert.exec_without_returning(&transaction).await?;
        Ok(self.database().commit(transaction).await?)
    }

    /// A mapping, without columns of attributes that are not seen.
    fn read_mapping(&self, row: column_mapping::Model) -> Result<ColumnMapping> {
        let mut columns: Vec<(String, ColumnSource)> = serde_json::from_str(&row.mapping).map_err(Error::internal)?;
        let (whole, seen) = (self.whole().snapshot(), self.snapshot());
        columns.retain(|(_, source)| {
            let ColumnSource::Attribute { key, .. } = source else { return true };
            let name = fold(key);
            let named = whole.attributes().iter().find(|row| row.key == name || row.title_key == name);
            named.is_none_or(|row| seen.sees(row))
        });
        Ok(ColumnMapping { name: row.name, columns })
    }
}
