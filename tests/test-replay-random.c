/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <string.h>

#include "vt-codec-binary-private.h"
#include "vt-replay-private.h"

/* Two replays, and a row of links between them, each of which breaks at some moment: a tail of the
 * messages under way is lost then, another one in each direction, and each side notices when it
 * does. Whatever the order of things: each message arrives once, and in order, and what was
 * acknowledged is forgotten.
 *
 * The seed is what the test framework prints; --seed runs the same again. */

#define N_STEPS 300
#define MAX_LENGTH (160 * 1024)

typedef enum {
  CLIENT,
  SERVER,
} Role;

typedef enum {
  GREETING,
  MESSAGE,
} ItemKind;

typedef struct {
  ItemKind kind;
  guint64 received; /* of a greeting */
  GBytes *message;  /* owned; NULL in a greeting */
  gboolean text;
} Item;

/* The items on their way to the one side and to the other. */
typedef struct {
  GQueue to[2]; /* of Item, owned */
  gboolean broken;
} Link;

typedef struct _World World;

typedef struct {
  World *world; /* not owned */
  Role role;
  VtReplay *replay; /* owned */
  Link *link;       /* not owned: the world's; NULL if there is none */
  gboolean attached;
  gboolean may_repeat; /* the link has said that it has room, once */
  gboolean dives;      /* its handler does things of its own */
  GArray *sent;        /* owned, of GBytes, not owned: what was handed in, in order */
  guint64 n_came;      /* of the other side's, how many arrived here */
  guint64 n_known;     /* of its own, how many the other side has said that it has */
  guint64 next;        /* the next to go out over this link */
  guint64 n_out;       /* how many went out over any */
  guint64 last_ack;    /* on this link, by ACK or greeting */
  size_t kept;         /* what it should keep */
} Side;

struct _World {
  VtClock *clock;      /* owned */
  GPtrArray *links;    /* owned, of Link, owned */
  unsigned int n_seen; /* of these, how many the server has accepted or given up */
  Side sides[2];
  size_t cost;
  unsigned int n_live;  /* messages in memory */
  unsigned int n_again; /* messages that went out more than once */
  unsigned int n_full;  /* times that a link had no room */
  unsigned int n_dives; /* handlers that broke the link, or handed in more */
};

static const uint8_t nothing[MAX_LENGTH];

static void
item_free (Item *self)
{
  g_clear_pointer (&self->message, g_bytes_unref);
  g_free (self);
}

static void
link_free (Link *self)
{
  g_queue_clear_full (&self->to[CLIENT], (GDestroyNotify) item_free);
  g_queue_clear_full (&self->to[SERVER], (GDestroyNotify) item_free);
  g_free (self);
}

/* What was under way arrives up to some message, or not at all. */
static void
break_link (Link *self)
{
  if (self == NULL || self->broken)
    return;

  self->broken = TRUE;
  for (unsigned int i = 0; i < 2; i++)
    {
      int left = g_test_rand_int_range (0, (int) self->to[i].length + 1);

      while (self->to[i].length > (unsigned int) left)
        item_free (g_queue_pop_tail (&self->to[i]));
    }
}

static void
put (Side *side, Item item)
{
  if (side->link == NULL || side->link->broken)
    g_clear_pointer (&item.message, g_bytes_unref);
  else
    g_queue_push_tail (&side->link->to[!side->role], g_memdup2 (&item, sizeof item));
}

static void
leave_link (Side *self)
{
  break_link (self->link);
  self->link = NULL;
  self->attached = FALSE;
  vt_replay_detach (self->replay);
}

static void
message_freed_cb (void *user_data)
{
  World *world = user_data;

  world->n_live--;
}

static void
hand_in (Side *self)
{
  int max = g_test_rand_int_range (0, 20) == 0 ? MAX_LENGTH : 2000;
  size_t length = (size_t) g_test_rand_int_range (0, max);
  g_autoptr(GBytes) message =
      g_bytes_new_with_free_func (nothing, length, message_freed_cb, self->world);

  self->world->n_live++;
  self->kept += length + self->world->cost;
  g_array_append_val (self->sent, message);
  vt_replay_send (self->replay, message, self->sent->len % 3 == 0);
}

static gboolean
read_ack (const Item *item, guint64 *received)
{
  uint8_t expected[VT_BINARY_ACK_SIZE] = { 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8 };
  size_t length;
  const uint8_t *data = g_bytes_get_data (item->message, &length);

  /* Those of this test begin with 0. */
  if (length == 0 || data[0] == 0)
    return FALSE;
  g_assert_cmpmem (data, MIN (length, 12), expected, 12);
  g_assert_cmpuint (length, ==, VT_BINARY_ACK_SIZE);
  memcpy (received, data + VT_BINARY_HEADER, sizeof *received);
  *received = GUINT64_FROM_BE (*received);
  return TRUE;
}

/* Now and then more is handed in meanwhile, or the link breaks under the message. */
static void
send_cb (GBytes *message, gboolean text, void *user_data)
{
  Side *self = user_data;
  Item item = { MESSAGE, 0, message, text };
  guint64 received;

  g_assert_nonnull (self->link);
  if (!read_ack (&item, &received))
    {
      g_assert_true (g_array_index (self->sent, GBytes *, self->next) == message);
      if (self->next < self->n_out)
        {
          self->world->n_again++;
          g_assert_true (self->may_repeat);
          self->may_repeat = FALSE;
        }
      self->next++;
      self->n_out = MAX (self->n_out, self->next);
    }
  g_bytes_ref (message);
  if (self->dives && g_test_rand_int_range (0, 60) == 0)
    {
      self->world->n_dives++;
      hand_in (self);
    }
  put (self, item);
  if (self->dives && g_test_rand_int_range (0, 60) == 0)
    {
      self->world->n_dives++;
      leave_link (self);
    }
}

static gboolean
has_room_cb (void *user_data)
{
  Side *self = user_data;

  self->may_repeat = !self->dives || g_test_rand_int_range (0, 8) > 0;
  self->world->n_full += !self->may_repeat;
  return self->may_repeat;
}

static void
learn (Side *self, guint64 received)
{
  for (; self->n_known < received; self->n_known++)
    self->kept -=
        self->world->cost + g_bytes_get_size (g_array_index (self->sent, GBytes *, self->n_known));
}

static void
take_ack (Side *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  /* Each says something new, and no more than is so. */
  g_assert_cmpuint (received, >, self->last_ack);
  g_assert_cmpuint (received, <=, self->world->sides[!self->role].n_came);
  self->last_ack = received;
  learn (self, received);
  vt_replay_acknowledge (self->replay, received, &error);
  g_assert_no_error (error);
}

/* The very same, the next one: so nothing is missing, nothing comes twice. */
static void
take_message (Side *self, const Item *item)
{
  Side *from = &self->world->sides[!self->role];

  g_assert_cmpuint (self->n_came, <, from->sent->len);
  g_assert_true (g_array_index (from->sent, GBytes *, self->n_came) == item->message);
  self->n_came++;
  g_assert_cmpint (item->text, ==, self->n_came % 3 == 0);
  vt_replay_note_received (self->replay, g_bytes_get_size (item->message));
  g_assert_cmpuint (vt_replay_get_received (self->replay), ==, self->n_came);
}

static void
meet (Side *self, guint64 received)
{
  g_autoptr(GError) error = NULL;

  self->attached = TRUE;
  self->last_ack = received;
  self->next = received;
  learn (self, received);
  vt_replay_attach (self->replay, received, &error);
  g_assert_no_error (error);
}

static void
say_hello (Side *self)
{
  put (self, (Item){ GREETING, vt_replay_get_received (self->replay), NULL, FALSE });
}

static void
take (Side *self, Item *item)
{
  guint64 received;

  if (item->kind == GREETING)
    {
      if (self->role == SERVER)
        say_hello (self);
      meet (self, item->received);
    }
  else if (read_ack (item, &received))
    {
      take_ack (self, received);
    }
  else
    {
      take_message (self, item);
    }
}

static void
read_some (Side *self, int n)
{
  while (n-- > 0 && self->link != NULL && self->link->to[self->role].length > 0)
    {
      Item *item = g_queue_pop_head (&self->link->to[self->role]);

      take (self, item);
      item_free (item);
    }
}

static void
connect_client (World *self)
{
  Side *client = &self->sides[CLIENT];

  if (client->link != NULL)
    leave_link (client);
  client->link = g_new0 (Link, 1);
  g_ptr_array_add (self->links, client->link);
  say_hello (client);
}

/* The server need not have noticed that the link before is gone. */
static void
accept_client (World *self)
{
  Side *server = &self->sides[SERVER];

  if (self->n_seen == self->links->len)
    return;
  if (server->link != NULL)
    leave_link (server);
  server->link = g_ptr_array_index (self->links, self->n_seen++);
}

static void
let_something_happen (World *self)
{
  Side *side = &self->sides[g_test_rand_bit () ? 1 : 0];
  int what = g_test_rand_int_range (0, 100);

  if (what < 40)
    hand_in (side);
  else if (what < 70)
    read_some (side, g_test_rand_int_range (1, 12));
  else if (what < 80)
    vt_clock_advance (self->clock, g_test_rand_int_range (0, 60000));
  else if (what < 83)
    break_link (side->link);
  else if (what < 85 && side->attached)
    vt_replay_continue (side->replay);
  else if (what < 88 && side->link != NULL && side->link->broken)
    leave_link (side);
  else if (what < 94 && self->sides[CLIENT].link == NULL)
    connect_client (self);
  else if (what >= 94)
    accept_client (self);
}

static void
check (World *self)
{
  for (unsigned int i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];

      g_assert_cmpuint (vt_replay_get_kept (side->replay), ==, side->kept);
      g_assert_cmpint (vt_replay_is_behind (side->replay), ==,
                       !side->attached || side->next < side->sent->len);
      g_assert_cmpuint (side->n_known, <=, self->sides[!i].n_came);
    }
}

static void
settle (World *self)
{
  while (self->sides[CLIENT].link->to[CLIENT].length > 0
         || self->sides[SERVER].link->to[SERVER].length > 0)
    {
      read_some (&self->sides[CLIENT], 1);
      read_some (&self->sides[SERVER], 1);
    }
}

/* A last link that does not break: everything arrives, is acknowledged, and forgotten. */
static void
finish (World *self)
{
  self->sides[CLIENT].dives = self->sides[SERVER].dives = FALSE;
  connect_client (self);
  while (self->n_seen < self->links->len)
    accept_client (self);
  settle (self);
  vt_clock_advance (self->clock, 100 * G_TIME_SPAN_MILLISECOND);
  settle (self);
  check (self);
  for (unsigned int i = 0; i < 2; i++)
    {
      g_assert_cmpuint (self->sides[i].n_came, ==, self->sides[!i].sent->len);
      g_assert_cmpuint (vt_replay_get_kept (self->sides[i].replay), ==, 0);
    }
  /* Others than the replays have them where an older link was never read to its end. */
  g_ptr_array_set_size (self->links, 0);
  g_assert_cmpuint (self->n_live, ==, 0);
}

static size_t
measure_cost (VtClock *clock)
{
  g_autoptr(VtReplay) replay = vt_replay_new (clock, &(VtReplayHandlers){ 0 }, NULL);
  g_autoptr(GBytes) empty = g_bytes_new (NULL, 0);

  vt_replay_send (replay, empty, FALSE);
  return vt_replay_get_kept (replay);
}

static void
begin (World *self)
{
  const VtReplayHandlers handlers = { .send = send_cb, .has_room = has_room_cb };

  self->clock = vt_clock_new_fake ();
  self->links = g_ptr_array_new_with_free_func ((GDestroyNotify) link_free);
  self->cost = measure_cost (self->clock);
  for (unsigned int i = 0; i < 2; i++)
    {
      Side *side = &self->sides[i];

      side->world = self;
      side->role = i;
      side->dives = TRUE;
      side->sent = g_array_new (FALSE, FALSE, sizeof (GBytes *));
      side->replay = vt_replay_new (self->clock, &handlers, side);
    }
}

static void
end (World *self)
{
  for (unsigned int i = 0; i < 2; i++)
    {
      vt_replay_free (self->sides[i].replay);
      g_array_unref (self->sides[i].sent);
    }
  g_ptr_array_unref (self->links);
  g_assert_cmpuint (self->n_live, ==, 0);
  vt_clock_unref (self->clock);
}

typedef struct {
  unsigned int again, full, dives;
} Tally;

/* Every third ends in the middle, whatever there is. */
static void
run_schedule (unsigned int number, Tally *tally)
{
  World self = { 0 };

  begin (&self);
  for (unsigned int step = 0; step < N_STEPS; step++)
    {
      let_something_happen (&self);
      check (&self);
    }
  if (number % 3 != 0)
    finish (&self);
  tally->again += self.n_again;
  tally->full += self.n_full;
  tally->dives += self.n_dives;
  end (&self);
}

static void
test_schedules (void)
{
  unsigned int n = g_test_slow () ? 100000 : 10000;
  Tally tally = { 0 };

  for (unsigned int i = 0; i < n; i++)
    run_schedule (i, &tally);
  g_test_message ("%u messages went out anew, %u times a link was full, %u handlers interfered, in"
                  " %u schedules",
                  tally.again, tally.full, tally.dives, n);
  g_assert_cmpuint (tally.again, >, 10 * n);
  g_assert_cmpuint (tally.full, >, n);
  g_assert_cmpuint (tally.dives, >, n);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/replay/random/schedules", test_schedules);
  return g_test_run ();
}
