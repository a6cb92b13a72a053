-- $limit: int = 2
SELECT name, size FROM rows WHERE size >= $least ORDER BY size DESC LIMIT $limit
