-- As on PostgreSQL, which needs no other index then for who is in which campaign.
DROP INDEX enrollments_by_prospect;
CREATE UNIQUE INDEX enrollments_by_prospect ON enrollments (prospect_id, campaign_id);
