//! Writing what goes back: what others need comes first, and what needs others goes first.

use std::sync::Arc;

use entity::attribute;
use entity::change::Noun;

use super::Undo;
use super::log::{self, Logged};
use crate::directory::attribute::{is_respelt, respell};
use crate::directory::changeset::Changeset;
use crate::directory::error::Result;
use crate::record::{Record, RecordId};

impl Undo {
    /// Puts every record that goes back into the changeset.
    pub(super) async fn write(&mut self, changeset: &mut Changeset) -> Result<()> {
        changeset.free_emails(&self.tally.moved_emails).await?;
        let respelt = self.put_attributes(changeset);
        self.put_few(changeset, |id, stays| stays && matches!(id, RecordId::Integration(_)));
        self.put_few(changeset, |id, _| matches!(id, RecordId::AssociationRules(_)));
        // A record that the changeset made has no state before it, and goes.
        self.put_many(changeset, Noun::User, false).await?;
        self.put_many(changeset, Noun::IntegrationAccount, true).await?;
        self.put_many(changeset, Noun::IntegrationAccount, false).await?;
        self.put_few(changeset, |id, _| matches!(id, RecordId::OrgUnit(_)));
        self.put_many(changeset, Noun::User, true).await?;
        self.put_few(changeset, |id, stays| !stays && matches!(id, RecordId::Integration(_)));
        changeset.flush().await?;
        for (before, after) in respelt {
            respell(changeset, &before, &after).await?;
        }
        Ok(())
    }

    /// Puts all attributes, since each has a place among the others. Gives those whose options users must have respelt.
    fn put_attributes(&self, changeset: &mut Changeset) -> Vec<(Arc<attribute::Model>, Arc<attribute::Model>)> {
        let stored = changeset.directory().index().attributes().to_vec();
        let mut respelt = Vec::new();
        for now in &stored {
            let then = self.world.attributes.iter().find(|then| then.id == now.id);
            if let Some(then) = then
                && is_respelt(&now.options, &then.options)
            {
                respelt.push((now.clone(), then.clone()));
            }
            let record = |row: &Arc<attribute::Model>| Record::Attribute(row.as_ref().clone());
            changeset.put(Some(record(now)), then.map(record));
        }
        for then in &self.world.attributes {
            if !stored.iter().any(|now| now.id == then.id) {
                changeset.put(None, Some(Record::Attribute(then.as_ref().clone())));
            }
        }
        respelt
    }

    /// Puts the integrations or org units of which `which` holds: their ids, and whether they will be there.
    fn put_few(&self, changeset: &mut Changeset, which: impl Fn(RecordId, bool) -> bool) {
        for plan in self.world.plans.iter().filter(|plan| which(plan.id, plan.then.is_some())) {
            changeset.put(plan.now.clone(), plan.then.clone());
        }
    }

    /// Puts the users or accounts that the changeset made, or those that it found, some at a time.
    async fn put_many(&mut self, changeset: &mut Changeset, noun: Noun, made: bool) -> Result<()> {
        let Some(places) = self.log.places_of(noun, made) else { return Ok(()) };
        // What is undone was written before, so that others than the writer can read it, and meanwhile.
        let (log, directory) = (self.log.clone(), changeset.directory().clone());
        let from = directory.database().readers();
        let mut read = log.read(from, log::of(noun, made), places).await?;
        loop {
            let (some, next) = read;
            let Some(places) = next else { return self.put_some(changeset, some).await };
            let ahead = log.read(from, log::of(noun, made), places);
            (read, ()) = tokio::try_join!(ahead, self.put_some(changeset, some))?;
        }
    }

    async fn put_some(&mut self, changeset: &mut Changeset, some: Vec<Logged>) -> Result<()> {
        let plans = self.plan(changeset, some).await?;
        changeset.append(plans.into_iter().map(|plan| (plan.now, plan.then)).collect()).await
    }
}
