/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loopback.h"
#include "relay-fixture.h"
#include "vt-error-private.h"

/* Writes to a local connection that fail although it stands. */

static const int breaking[] = { ENOMEM, ENOBUFS };
static const int passing[] = { EINTR, EAGAIN };

static int failure; /* an errno for the next one; 0: none */

/* Instead of the system's. */
ssize_t
send (int fd, const void *data, size_t length, int flags)
{
  if (failure == 0)
    return sendto (fd, data, length, flags, NULL, 0);
  errno = failure;
  failure = 0;
  return -1;
}

static void
set_up (RelayFixture *self, gconstpointer data)
{
  relay_fixture_set_up_v2 (self, NULL);
}

static gboolean
have_ended (RelayFixture *self)
{
  return self->user_ends->len == 1 && self->target_ends->len == 1;
}

/* The write to the target of what the user says now fails. */
static void
say_once_more (RelayFixture *self, const char *text, int code)
{
  Talker *user = relay_fixture_connect (self);
  Talker *target = relay_fixture_target (self, 0);

  talker_listen (user, 100);
  talker_listen (target, 100);
  talker_say (user, "request");
  RUN_RELAYS_UNTIL (self, talker_heard (target, "request"));
  failure = code;
  g_assert_cmpint (write (user->fd, text, strlen (text)), ==, strlen (text));
}

/* Each side would wait for ever for what is missing: both see that the connection broke. */
static void
test_breaks (RelayFixture *self, gconstpointer data)
{
  Talker *user;
  Talker *target;

  say_once_more (self, "lost", *(const int *) data);
  user = g_ptr_array_index (self->users, 0);
  target = g_ptr_array_index (self->targets, 0);
  RUN_RELAYS_UNTIL (self, have_ended (self));
  g_assert_cmpint (failure, ==, 0);
  g_assert_error ((GError *) self->target_ends->pdata[0], VT_ERROR, VT_ERROR_CANCELLED);
  g_assert_error ((GError *) self->user_ends->pdata[0], VT_ERROR, VT_ERROR_CANCELLED);
  RUN_UNTIL (user->error != 0 && target->error != 0);
  g_assert_cmpint (user->error, ==, ECONNRESET);
  g_assert_cmpint (target->error, ==, ECONNRESET);
}

/* It is only later. */
static void
test_goes_on (RelayFixture *self, gconstpointer data)
{
  Talker *target;

  say_once_more (self, ", late", *(const int *) data);
  target = g_ptr_array_index (self->targets, 0);
  RUN_RELAYS_UNTIL (self, talker_heard (target, "request, late"));
  g_assert_cmpint (failure, ==, 0);
  talker_end (g_ptr_array_index (self->users, 0));
  talker_end (target);
  RUN_RELAYS_UNTIL (self, have_ended (self));
  g_assert_no_error ((GError *) self->target_ends->pdata[0]);
}

int
main (int argc, char **argv)
{
  g_autoptr(VtPoller) poller = NULL;

  g_test_init (&argc, &argv, NULL);
  poller = loopback_warm_up ();
#define ADD(path, code, func)                                                                      \
  g_test_add ("/relay/write/" path, RelayFixture, code, set_up, func, relay_fixture_tear_down)
  ADD ("no-memory", &breaking[0], test_breaks);
  ADD ("no-buffers", &breaking[1], test_breaks);
  ADD ("interrupted", &passing[0], test_goes_on);
  ADD ("full", &passing[1], test_goes_on);
#undef ADD
  return g_test_run ();
}
