"""Keys of what is found, done, told and asked."""

from lantern.store.keys.parts import Key, TenantPrefix, part


class WorkKeys(TenantPrefix):
    """Findings, jobs, runs, deliveries, questions."""

    # --- findings, jobs --------------------------------------------------------------------------
    def findings(self) -> str:
        """Partition of all findings."""
        return self._pk("FINDING")

    def finding(self, finding_id: str) -> Key:
        """A finding."""
        return Key(self.findings(), part(finding_id))

    def findings_in(self, status: str) -> str:
        """Index partition of the findings of a status."""
        return self._pk("FINDING", part(status))

    def jobs(self) -> str:
        """Partition of all jobs."""
        return self._pk("JOB")

    def job(self, job_id: str) -> Key:
        """A job."""
        return Key(self.jobs(), part(job_id))

    def open_jobs(self) -> str:
        """Index partition of the jobs that something may still happen to."""
        return self._pk("JOB", "open")

    def actions(self, job_id: str) -> str:
        """Partition of a job's actions."""
        return self._pk("JOB", part(job_id))

    def action(self, job_id: str, target_id: str) -> Key:
        """What became of one target of a job."""
        return Key(self.actions(job_id), part(target_id))

    def manual_actions(self) -> str:
        """Index partition of actions that are left to an administrator, by when they were looked at."""
        return self._pk("JOB", "manual")

    def playbook_runs(self) -> str:
        """Partition of all runs of playbooks."""
        return self._pk("PLAY")

    def playbook_run(self, run_id: str) -> Key:
        """A run of a playbook."""
        return Key(self.playbook_runs(), part(run_id))

    def playbooks_due(self) -> str:
        """Index partition of runs, by when something is due."""
        return self._pk("PLAY", "due")

    def run_targets(self, run_id: str) -> str:
        """Partition of the targets of a run."""
        return self._pk("PLAY", part(run_id))

    def run_target(self, run_id: str, target_id: str) -> Key:
        """A target of a run."""
        return Key(self.run_targets(run_id), part(target_id))

    def watch(self, grant_id: str) -> Key:
        """A revoked grant that is watched."""
        return Key(self._pk("WATCH"), part(grant_id))

    def watches_due(self) -> str:
        """Index partition of watched grants, by when to look."""
        return self._pk("WATCH", "due")

    def incidents(self) -> str:
        """Partition of all incidents."""
        return self._pk("INCIDENT")

    def incident(self, incident_id: str) -> Key:
        """An incident of a vendor."""
        return Key(self.incidents(), part(incident_id))

    # --- outreach --------------------------------------------------------------------------------
    def deliveries(self, target_id: str) -> str:
        """Partition of what is sent to a target."""
        return self._pk("DELIVERY", part(target_id))

    def delivery(self, target_id: str, delivery_id: str) -> Key:
        """A delivery."""
        return Key(self.deliveries(target_id), part(delivery_id))

    def alert(self, name: str) -> Key:
        """One of the single items of alerts: SETTINGS, STATE, ANNOUNCED or a channel's ledger."""
        return Key(self._pk("ALERT"), "#".join(part(one) for one in name.split("#")))

    def alert_channels(self) -> str:
        """Partition of the channels of alerts."""
        return self._pk("ALERTCHANNEL")

    def alert_channel(self, channel_id: str) -> Key:
        """A channel of alerts."""
        return Key(self.alert_channels(), part(channel_id))

    def endpoints(self) -> str:
        """Partition of the webhook endpoints."""
        return self._pk("ENDPOINT")

    def endpoint(self, endpoint_id: str) -> Key:
        """A webhook endpoint."""
        return Key(self.endpoints(), part(endpoint_id))

    def due_deliveries(self) -> str:
        """Index partition of the deliveries that something is still to be done for."""
        return self._pk("DELIVERIES", "due")

    def imports(self) -> str:
        """Partition of all imports."""
        return self._pk("IMPORT")

    def import_(self, import_id: str) -> Key:
        """An import."""
        return Key(self.imports(), part(import_id))

    def import_parts(self, import_id: str) -> str:
        """Partition of the content of a file."""
        return self._pk("IMPORT", part(import_id))

    def import_part(self, import_id: str, number: int) -> Key:
        """A part of the content of a file."""
        return Key(self.import_parts(import_id), f"{number:04d}")

    # --- guiding people --------------------------------------------------------------------------
    def nudge(self, nudge_id: str) -> Key:
        """A question to a person."""
        return Key(self._pk("NUDGE"), part(nudge_id))

    def nudges_in(self, state: str) -> str:
        """Index partition of the open or the closed questions."""
        return self._pk("NUDGE", part(state))

    def nudge_ledger(self, person_id: str) -> Key:
        """What one person was asked lately."""
        return Key(self._pk("ASKED"), part(person_id))

    def silences(self, person_id: str) -> str:
        """Partition of others' questions that wait for one person's decision."""
        return self._pk("SILENT", part(person_id))

    def silence(self, person_id: str, nudge_id: str) -> Key:
        """One such question."""
        return Key(self.silences(person_id), part(nudge_id))

    def exceptions(self) -> str:
        """Partition of what people were allowed to keep."""
        return self._pk("EXCEPTION")

    def exception(self, exception_id: str) -> Key:
        """What one person was allowed to keep."""
        return Key(self.exceptions(), part(exception_id))

    def request(self, request_id: str) -> Key:
        """A request for a tool."""
        return Key(self._pk("REQUEST"), part(request_id))

    def requests_in(self, state: str) -> str:
        """Index partition of the requests that wait, or are closed."""
        return self._pk("REQUEST", part(state))

    def campaigns(self) -> str:
        """Partition of all reviews."""
        return self._pk("CAMPAIGN")

    def campaign(self, campaign_id: str) -> Key:
        """A review."""
        return Key(self.campaigns(), part(campaign_id))

    def due_campaigns(self) -> str:
        """Index partition of the reviews that something is to be done for."""
        return self._pk("CAMPAIGN", "due")

    def campaign_items(self, campaign_id: str) -> str:
        """Partition of the grants of a review."""
        return self._pk("CAMPAIGN", part(campaign_id))

    def campaign_item(self, campaign_id: str, item_id: str) -> Key:
        """A grant of a review."""
        return Key(self.campaign_items(campaign_id), part(item_id))

    def person_link(self, link_id: str) -> Key:
        """An address of a person's own page."""
        return Key(self._pk("PLINK"), part(link_id))

    def guidance(self) -> Key:
        """How the tenant guides its people."""
        return Key(self._pk("GUIDANCE"), "POLICY")
