-- Whom the workspace knows by their profile on LinkedIn (PR-1).
CREATE INDEX prospects_by_profile ON prospects (workspace_id, linkedin_url) WHERE linkedin_url <> '';
