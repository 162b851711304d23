//! The tree of org units: how deep it may be, and what its names and paths are.

use entity::OrgUnitId;
use roster::directory::{Directory, Error, UndoOptions};
use roster::value::GlobalId;
use serde_json::json;

use crate::support::{Site, filter, me, on_both, unit};

/// So many units in a row, one below the other; the last of them.
async fn chain(site: &Site, below: Option<OrgUnitId>, name: &str, count: usize) -> Option<OrgUnitId> {
    let mut last = below;
    for _ in 0..count {
        last = Some(unit(site, name, last, None).await);
    }
    last
}

async fn move_unit(site: &Directory, unit: OrgUnitId, parent: Option<OrgUnitId>) -> Result<(), Error> {
    site.move_org_unit(&me(), unit, parent, None).await
}

#[test]
fn a_unit_is_not_moved_where_what_stands_below_it_would_stand_too_deep() {
    on_both(async |site: &Site| {
        let at_29 = chain(site, None, "deep", 29).await;
        let at_30 = chain(site, at_29, "deep", 1).await;
        let top = unit(site, "top", None, None).await;
        chain(site, Some(top), "below", 2).await;
        unit(site, "beside", Some(top), None).await;
        let error = move_unit(site, top, at_30).await.unwrap_err();
        assert_eq!(error.to_string(), "the depth of the tree of org units is limited to 32");
        move_unit(site, top, at_29).await.unwrap();
        assert_eq!(site.index().org_units().map(|unit| site.index().org_unit_path(unit.row.id).len()).max(), Some(32));

        // An undo holds to it, too.
        move_unit(site, top, None).await.unwrap();
        let number = site.version();
        let below = site.index().find_org_unit("top/below/below").unwrap().row.id;
        chain(site, Some(below), "below", 1).await;
        let undone = site.undo_changeset(&me(), UndoOptions { number, ..UndoOptions::default() }).await.unwrap();
        let blocked: Vec<&str> = undone.blocked.iter().map(|blocked| blocked.code).collect();
        assert_eq!((undone.applied, blocked), (false, vec!["LIMIT_EXCEEDED"]));
    });
}

#[test]
fn a_name_may_have_the_sign_that_stands_between_names() {
    on_both(async |site: &Site| {
        let research = unit(site, "R&D", None, None).await;
        let both = unit(site, "AI/ML", Some(research), None).await;
        let ml = chain(site, Some(research), "AI", 1).await;
        let ml = unit(site, "ML", ml, None).await;
        let index = site.index();
        let found = |path: &str| index.find_org_unit(path).map(|unit| unit.row.id);
        assert_eq!((index.path(both), index.path(ml)), (r"R&D/AI\/ML".into(), "R&D/AI/ML".into()));
        assert_eq!((found(r"r&d / ai\/ml"), found("R&D/AI/ML")), (Some(both), Some(ml)));
        let asks = filter(json!({ "orgUnit": { "id": both.to_global(), "descendants": false } }));
        let text = index.filter_text(&asks).unwrap();
        assert_eq!(text, r#"memberOf "R&D/AI\\/ML""#);
        assert_eq!(index.parse_filter(&text).unwrap(), asks);
    });
}
