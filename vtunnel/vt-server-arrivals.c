/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include "vt-server-private.h"

#include "vt-close-code-private.h"
#include "vt-greeter-private.h"
#include "vt-inet-place-private.h"
#include "vt-negotiation-private.h"

/* A client of v2 is nobody's before it has greeted: it may be a new one, or one that comes back to
 * its session. Until then it counts for max-sessions, and others do not hear of it; of one that
 * goes before, never.
 */
typedef struct {
  VtServer *server;       /* not owned */
  VtGreeter *greeter;     /* owned */
  GSocketAddress *client; /* owned, nullable */
  VtAccessGrant *grant;   /* owned, nullable */
} Arrival;

/* So many may be about to greet when the server takes nobody new: enough that those that come back
 * are not held up by others. */
#define MIN_ARRIVALS 16

static void
arrival_free (void *data)
{
  Arrival *arrival = data;

  g_clear_pointer (&arrival->greeter, vt_greeter_free);
  g_clear_object (&arrival->client);
  g_clear_pointer (&arrival->grant, vt_access_grant_unref);
  g_free (arrival);
}

GHashTable *
vt_server_new_arrivals (void)
{
  return g_hash_table_new_full (NULL, NULL, arrival_free, NULL);
}

/* Whether one that comes now may be one that comes back. It need not be one that is missed: a
 * client often knows before the server that its link is dead. */
static gboolean
may_come_back (VtServer *self)
{
  g_autoptr(GPtrArray) all = vt_server_list_work (self);
  unsigned int n_resumable = 0;
  unsigned int n_missed = 0;
  unsigned int n_expected;

  for (unsigned int i = 0; i < all->len; i++)
    {
      n_resumable += vt_server_session_is_resumable (all->pdata[i]);
      n_missed += vt_server_session_is_suspended (all->pdata[i]);
    }
  /* Before the end there is no time to find out that a link is dead. */
  n_expected = self->phase == VT_SERVER_DRAINING ? n_resumable : n_missed;
  return n_resumable > 0
         && g_hash_table_size (self->arrivals) < MAX (n_expected, (unsigned int) MIN_ARRIVALS);
}

/* Whoever has a token cannot keep others from greeting. */
static gboolean
has_many_arrivals (VtServer *self, VtAccessGrant *grant)
{
  GHashTableIter iter;
  void *key;
  unsigned int n_arrivals = 0;

  g_hash_table_iter_init (&iter, self->arrivals);
  while (grant != NULL && g_hash_table_iter_next (&iter, &key, NULL))
    {
      VtAccessGrant *other = ((Arrival *) key)->grant;

      n_arrivals += other != NULL && g_str_equal (other->entry->name, grant->entry->name);
    }
  return n_arrivals >= MIN_ARRIVALS;
}

static gboolean
is_from (VtServer *self, GSocketAddress *client, const VtInetPlace *place)
{
  GInetAddress *origin = vt_server_get_origin (self, client);
  VtInetPlace other;

  if (origin == NULL)
    return FALSE;
  other = vt_inet_place_of (origin);
  return vt_inet_place_equal (&other, place);
}

static unsigned int
count_sessions_from (VtServer *self, const VtInetPlace *place)
{
  GHashTableIter iter;
  void *key;
  unsigned int n = 0;

  g_hash_table_iter_init (&iter, self->work);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    n += is_from (self, vt_session_get_client_address (vt_server_session_get_session (key)), place);
  return n;
}

static unsigned int
count_arrivals_from (VtServer *self, const VtInetPlace *place)
{
  GHashTableIter iter;
  void *key;
  unsigned int n = 0;

  g_hash_table_iter_init (&iter, self->arrivals);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    n += is_from (self, ((Arrival *) key)->client, place);
  return n;
}

/* Whether so many are there from where this one is that it may not be one more. */
static gboolean
is_crowded (VtServer *self, GSocketAddress *client, gboolean with_arrivals)
{
  GInetAddress *origin = vt_server_get_origin (self, client);
  VtInetPlace place;
  unsigned int n;

  if (self->max_sessions_per_address == 0 || origin == NULL)
    return FALSE;
  place = vt_inet_place_of (origin);
  n = count_sessions_from (self, &place);
  if (with_arrivals)
    n += count_arrivals_from (self, &place);
  return n >= self->max_sessions_per_address;
}

VtServerAdmission
vt_server_get_admission (VtServer *self,
                         unsigned int protocol,
                         GSocketAddress *client,
                         VtAccessGrant *grant)
{
  VtServerAdmission admission = VT_SERVER_WELCOME;

  if (self->phase == VT_SERVER_CLOSING)
    return VT_SERVER_LEAVING;
  if (self->phase == VT_SERVER_DRAINING)
    admission = VT_SERVER_LEAVING;
  else if (g_hash_table_size (self->work) + g_hash_table_size (self->arrivals) >= self->max_sessions
           || has_many_arrivals (self, grant))
    admission = VT_SERVER_FULL;
  else if (is_crowded (self, client, TRUE))
    admission = VT_SERVER_CROWDED;
  if (admission != VT_SERVER_WELCOME && protocol == 2 && may_come_back (self))
    admission = VT_SERVER_WELCOME;
  return admission;
}

/* Of one that does not come back. Whoever hears of those that make room for it may do anything. */
static VtServerAdmission
get_admission_of_new (VtServer *self, GSocketAddress *client, VtAccessGrant *grant)
{
  g_autoptr(VtServer) alive = g_object_ref (self);
  gboolean has_room = self->phase == VT_SERVER_RUNNING && vt_server_make_room (self, grant);

  if (self->front == NULL || self->phase != VT_SERVER_RUNNING)
    return VT_SERVER_LEAVING;
  if (!has_room || g_hash_table_size (self->work) >= self->max_sessions)
    return VT_SERVER_FULL;
  return is_crowded (self, client, FALSE) ? VT_SERVER_CROWDED : VT_SERVER_WELCOME;
}

const char *
vt_server_get_refusal (VtServerAdmission admission)
{
  static const char *const texts[] = {
    [VT_SERVER_FULL] = "too many clients",
    [VT_SERVER_CROWDED] = "too many clients from this address",
    [VT_SERVER_LEAVING] = "shutting down",
  };

  return texts[admission];
}

void
vt_server_note_admission (VtServer *self, VtServerAdmission admission)
{
  static const VtCountersRefusal places[] = {
    [VT_SERVER_FULL] = VT_COUNTERS_FULL,
    [VT_SERVER_CROWDED] = VT_COUNTERS_CROWDED,
    [VT_SERVER_LEAVING] = VT_COUNTERS_LEAVING,
  };

  if (admission != VT_SERVER_WELCOME)
    self->counters->sessions_refused[places[admission]]++;
}

/* It ends by itself. */
static void
refuse (VtServer *self, VtGreeter *greeter, VtServerAdmission admission)
{
  gboolean leaving = admission == VT_SERVER_LEAVING;

  vt_server_note_admission (self, admission);
  vt_greeter_refuse (greeter, leaving ? SOUP_WEBSOCKET_CLOSE_GOING_AWAY : VT_CLOSE_TRY_AGAIN,
                     vt_server_get_refusal (admission));
}

/* What is not known costs as much as what is. */
static VtServerSession *
find_session (VtServer *self, const VtControl *hello, VtAccessGrant *grant)
{
  const char *user = grant != NULL ? grant->entry->name : NULL;
  static const VtCredentials nobody = {
    .session = (char *) "AAAAAAAAAAAAAAAAAAAAAA",
    .secret = (char *) "AAAAAAAAAAAAAAAAAAAAAA",
  };
  VtServerSession *work;
  const VtCredentials *credentials;

  if (hello->session == NULL)
    return NULL;
  work = g_hash_table_lookup (self->names, hello->session);
  credentials = work != NULL ? vt_server_session_get_credentials (work) : &nobody;
  if (!vt_credentials_match (credentials, hello->session, hello->secret) || work == NULL)
    return NULL;
  if (g_strcmp0 (user, vt_session_get_user (vt_server_session_get_session (work))) != 0)
    return NULL;
  return vt_server_session_is_resumable (work) ? work : NULL;
}

static void
begin (VtServer *self, Arrival *arrival, const VtControl *hello)
{
  VtServerAdmission admission = get_admission_of_new (self, arrival->client, arrival->grant);
  g_auto(VtCredentials) credentials = { 0 };
  g_autoptr(GError) error = NULL;

  if (admission != VT_SERVER_WELCOME)
    refuse (self, g_steal_pointer (&arrival->greeter), admission);
  else if (vt_credentials_init (&credentials, &error))
    vt_server_begin_session (self, vt_greeter_take_link (arrival->greeter), arrival->client,
                             arrival->grant, hello, &credentials);
  else
    {
      g_message ("A client was turned away: %s", error->message);
      vt_greeter_refuse (g_steal_pointer (&arrival->greeter), SOUP_WEBSOCKET_CLOSE_SERVER_ERROR,
                         NULL);
    }
}

static void
resume (VtServerSession *work, Arrival *arrival, const VtControl *hello)
{
  if (vt_server_session_is_latest_attempt (work, hello->attempt))
    {
      arrival->server->counters->sessions_resumed++;
      vt_server_set_grant (arrival->server, work, arrival->grant);
      vt_server_session_resume (work, vt_greeter_take_link (arrival->greeter), arrival->client,
                                hello);
    }
  else
    vt_greeter_refuse (g_steal_pointer (&arrival->greeter), VT_CLOSE_REPLACED,
                       "a later attempt was here before");
}

static void
greeted_cb (VtGreeter *greeter, const VtControl *hello, void *user_data)
{
  Arrival *arrival = user_data;
  VtServer *self = arrival->server;
  VtServerSession *work = find_session (self, hello, arrival->grant);

  g_hash_table_steal (self->arrivals, arrival);
  if (!vt_server_is_granted (self, arrival->grant))
    vt_greeter_refuse (g_steal_pointer (&arrival->greeter), SOUP_WEBSOCKET_CLOSE_POLICY_VIOLATION,
                       "access was taken back");
  else if (work != NULL)
    resume (work, arrival, hello);
  else
    begin (self, arrival, hello);
  arrival_free (arrival);
}

static void
failed_cb (VtGreeter *greeter, unsigned int code, const GError *error, void *user_data)
{
  Arrival *arrival = user_data;

  g_debug ("A client was gone before it had greeted: %s", error->message);
  g_hash_table_remove (arrival->server->arrivals, arrival);
}

static void
await_greeting (VtServer *self,
                SoupWebsocketConnection *connection,
                VtGate *gate,
                GSocketAddress *client,
                VtAccessGrant *grant)
{
  static const VtGreeterHandlers handlers = { .greeted = greeted_cb, .failed = failed_cb };
  Arrival *arrival = g_new0 (Arrival, 1);

  arrival->server = self;
  g_set_object (&arrival->client, client);
  arrival->grant = grant != NULL ? vt_access_grant_ref (grant) : NULL;
  arrival->greeter = vt_greeter_new (connection, gate, NULL, &handlers, arrival);
  g_hash_table_add (self->arrivals, arrival);
}

void
vt_server_open_session (VtServer *self,
                        SoupWebsocketConnection *connection,
                        VtGate *gate,
                        GSocketAddress *client,
                        VtAccessGrant *grant)
{
  static const VtGreeterHandlers none = { 0 };
  VtServerAdmission admission;
  g_autoptr(SoupWebsocketConnection) owned = NULL;
  g_autoptr(VtGate) owned_gate = NULL;
  VtLink *link;

  if (vt_negotiation_get_protocol (connection) == 2)
    {
      await_greeting (self, connection, gate, client, grant);
      return;
    }
  admission = get_admission_of_new (self, client, grant);
  if (admission != VT_SERVER_WELCOME)
    {
      refuse (self, vt_greeter_new (connection, gate, NULL, &none, NULL), admission);
      return;
    }
  owned = connection;
  owned_gate = gate;
  link = vt_link_new (connection, gate, VT_TRUNK_MAX_MESSAGE (1), NULL, NULL);
  vt_server_begin_session (self, link, client, grant, NULL, NULL);
}

void
vt_server_turn_away_arrivals (VtServer *self)
{
  GHashTableIter iter;
  void *key;

  g_hash_table_iter_init (&iter, self->arrivals);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    {
      Arrival *arrival = key;

      refuse (self, g_steal_pointer (&arrival->greeter), VT_SERVER_LEAVING);
      g_hash_table_iter_remove (&iter);
    }
}
