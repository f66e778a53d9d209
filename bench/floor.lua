-- The statements of one operation, prepared and driven straight at MySQL by sysbench: as fast as it can be.
--
--   sysbench floor.lua --operation=page --work=FILE --mysql-... --threads=32 --time=10 run
--
-- The file has one piece of work a line, its values divided by tabs; threads share the pieces out among themselves.
-- Results of a statement are fetched to their end.

sysbench.cmdline.options = {
  operation = { "Which operation, of those in this file", "page" },
  work = { "A file of values, a piece of work a line", "" },
}

local BIGINT = sysbench.sql.type.BIGINT
local TEXT = sysbench.sql.type.VARCHAR
local LONGEST = 1024 -- bytes of a text

-- The message that a message answers, for the user who reads it.
local ORIGINAL = "(SELECT reply.in_reply_to FROM replies AS reply WHERE reply.message_id = m.id AND reply.user_id = "

local FIND = "SELECT m.id, sender.username AS sender, m.sender_id = ? AS is_sender, m.subject, m.body, m.created_at, "
  .. ORIGINAL .. "?) AS in_reply_to, r.is_read "
  .. "FROM messages AS m STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id "
  .. "LEFT JOIN receipts AS r FORCE INDEX (receipts_message) "
  .. "ON r.message_id = m.id AND r.receiver_id = ? AND r.is_deleted = FALSE "
  .. "WHERE m.id = ? AND (m.sender_id = ? OR r.receiver_id IS NOT NULL)"

local PAGE = "SELECT m.id, sender.username AS sender, m.subject, m.body, m.created_at, "
  .. ORIGINAL .. "r.receiver_id) AS in_reply_to, r.is_read "
  .. "FROM receipts AS r FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages AS m ON m.id = r.message_id "
  .. "STRAIGHT_JOIN users AS sender ON sender.id = m.sender_id WHERE r.receiver_id = ? AND r.is_deleted = FALSE"

local LOCK_SENT = "SELECT m.sender_id, m.id, r.receiver_id FROM messages AS m "
  .. "LEFT JOIN receipts AS r FORCE INDEX (receipts_message) ON r.message_id = m.id AND r.is_deleted = FALSE "
  .. "WHERE m.sender_id = ? AND m.id = ? FOR UPDATE"

local INSERT_MESSAGE = {
  "INSERT INTO messages (sender_id, subject, body, created_at) SELECT ?, ?, ?, ? FROM users WHERE username = ?",
  { BIGINT, 1 }, { TEXT, 2 }, { TEXT, 3 }, { TEXT, 4 }, { TEXT, 5 },
}

local INSERT_RECEIPT = {
  "INSERT INTO receipts (receiver_id, is_deleted, message_id) SELECT receiver.id, "
    .. "EXISTS (SELECT 1 FROM blocks WHERE blocker_id = receiver.id AND blocked_id = ?), LAST_INSERT_ID() "
    .. "FROM users AS receiver WHERE receiver.username = ?",
  { BIGINT, 1 }, { TEXT, 5 },
}

-- What event streams learn of a mark or a deletion.
local RECORD = "INSERT INTO message_changes (user_id, kind, message_ids, created_at) VALUES "
local ONE_CHANGE = "(?, 'read', ?, UTC_TIMESTAMP(3))"

-- Each operation: its statements, with the types of their parameters and the columns of the work that are bound to
-- them. Values of a column are numbers or texts as the type says.
local operations = {
  page = { { PAGE .. " ORDER BY r.message_id DESC LIMIT ?", { BIGINT, 1 }, { BIGINT, 3 } } },
  great_page = {
    { PAGE .. " AND r.message_id < ? ORDER BY r.message_id DESC LIMIT ?", { BIGINT, 1 }, { BIGINT, 2 }, { BIGINT, 3 } },
  },
  read = { { FIND, { BIGINT, 1 }, { BIGINT, 1 }, { BIGINT, 1 }, { BIGINT, 2 }, { BIGINT, 1 } } },
  send = { { "BEGIN" }, INSERT_MESSAGE, INSERT_RECEIPT, { "COMMIT" } },
  keyed_send = {
    { "BEGIN" },
    INSERT_MESSAGE,
    INSERT_RECEIPT,
    {
      "INSERT INTO idempotency_keys (user_id, idempotency_key, fingerprint, message_id, created_at) "
        .. "VALUES (?, UUID(), REPEAT('f', 32), LAST_INSERT_ID(), ?)",
      { BIGINT, 1 }, { TEXT, 4 },
    },
    { "COMMIT" },
  },
  mark = {
    { FIND, { BIGINT, 1 }, { BIGINT, 1 }, { BIGINT, 1 }, { BIGINT, 2 }, { BIGINT, 1 } },
    { "BEGIN" },
    {
      "UPDATE receipts FORCE INDEX (PRIMARY) SET is_read = ? "
        .. "WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?",
      { BIGINT, 3 }, { BIGINT, 1 }, { BIGINT, 2 },
    },
    { RECORD .. ONE_CHANGE, { BIGINT, 1 }, { TEXT, 2 } },
    { "COMMIT" },
  },
  delete = {
    { "BEGIN" },
    { LOCK_SENT, { BIGINT, 1 }, { BIGINT, 2 } },
    { "DELETE FROM messages WHERE sender_id = ? AND id = ?", { BIGINT, 1 }, { BIGINT, 2 } },
    { RECORD .. ONE_CHANGE .. ", " .. ONE_CHANGE, { BIGINT, 1 }, { TEXT, 2 }, { BIGINT, 3 }, { TEXT, 2 } },
    { "COMMIT" },
  },
  remove = {
    { "BEGIN" },
    { LOCK_SENT, { BIGINT, 1 }, { BIGINT, 2 } },
    {
      "UPDATE receipts SET is_deleted = TRUE WHERE receiver_id = ? AND is_deleted = FALSE AND message_id = ?",
      { BIGINT, 1 }, { BIGINT, 2 },
    },
    { RECORD .. ONE_CHANGE, { BIGINT, 1 }, { TEXT, 2 } },
    { "COMMIT" },
  },
}
operations.unknown = operations.read
operations.great_newest = operations.page

local function read_work(path)
  local work = {}
  for line in io.lines(path) do
    local values = {}
    for value in line:gmatch("[^\t]+") do
      values[#values + 1] = value
    end
    work[#work + 1] = values
  end
  return work
end

-- One statement as a function of a piece of work.
local function prepared(connection, description)
  if #description == 1 then
    return function() connection:query(description[1]) end
  end
  local statement, parameters = connection:prepare(description[1]), {}
  for number = 2, #description do
    local type = description[number][1]
    local parameter = type == BIGINT and statement:bind_create(BIGINT) or statement:bind_create(TEXT, LONGEST)
    parameters[#parameters + 1] = parameter
  end
  statement:bind_param(unpack(parameters))
  return function(values)
    for number = 2, #description do
      local type, column = description[number][1], description[number][2]
      -- LuaJIT's own numbers are exact up to 2^53.
      parameters[number - 1]:set(type == BIGINT and tonumber(values[column]) or values[column])
    end
    statement:execute()
  end
end

function thread_init()
  connection = sysbench.sql.driver():connect()
  -- As the service does.
  connection:query("SET SESSION transaction_isolation = 'READ-COMMITTED', SESSION eq_range_index_dive_limit = 1")
  steps = {}
  for _, description in ipairs(operations[sysbench.opt.operation]) do
    steps[#steps + 1] = prepared(connection, description)
  end
  work = read_work(sysbench.opt.work)
  position = sysbench.tid
end

function event()
  local values = work[position % #work + 1]
  position = position + sysbench.opt.threads
  for _, step in ipairs(steps) do
    step(values)
  end
end

function thread_done()
  connection:disconnect()
end
