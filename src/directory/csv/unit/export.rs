//! An export of the org units: parents before those below them, siblings by name.

use std::sync::Arc;

use sea_orm::ActiveEnum;

use super::cells::{show_stored, show_users};
use super::header::Column;
use crate::directory::csv::{Style, Writer};
use crate::directory::{Directory, Error, Result};
use crate::record::OrgUnitRecord;
use crate::value::{GlobalId, join_path};

impl Directory {
    /// The org units as a file that an import takes.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub async fn export_org_units(&self, style: Style) -> Result<Vec<u8>> {
        self.refresh().await?;
        let index = self.index();
        let mut writer =
            Writer::open(Vec::new(), style, Column::EXPORTED.map(Column::title)).map_err(Error::internal)?;
        let below = |id, above: &str| {
            let between = if above.is_empty() { "" } else { "/" };
            let children = index.org_unit_children(id).iter().rev().filter_map(|id| index.org_unit(*id));
            let at_path =
                |unit: &Arc<OrgUnitRecord>| format!("{above}{between}{}", join_path([unit.row.name.as_str()]));
            children.map(|unit| (unit, at_path(unit))).collect::<Vec<_>>()
        };
        let mut waiting = below(None, "");
        while let Some((unit, path)) = waiting.pop() {
            waiting.extend(below(Some(unit.row.id), &path));
            let cells = Column::EXPORTED.map(|column| match column {
                Column::Id => unit.row.id.to_global(),
                Column::Path => path.clone(),
                Column::Name => unit.row.name.clone(),
                Column::Parent => unit.row.parent_id.map(GlobalId::to_global).unwrap_or_default(),
                Column::Description => unit.row.description.clone(),
                Column::Scope => unit.row.scope.to_value(),
                Column::Filter if index.conceals(unit) => String::new(),
                Column::Filter => show_stored(unit.row.filter.as_ref(), &|filter| index.filter_text(filter)),
                Column::Pinned => show_users(&unit.pinned, &index),
                Column::Excluded => show_users(&unit.excluded, &index),
            });
            writer.write_row(cells.iter().map(String::as_str)).map_err(Error::internal)?;
        }
        writer.finish().map_err(Error::internal)
    }
}
