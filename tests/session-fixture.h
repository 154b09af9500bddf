/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "vts-error.h"
#include "vts-manager.h"

/* A keyring that a test locks. What it is asked is answered at once, unless it `waits`. */
#define TYPE_DUMMY_KEYRING (dummy_keyring_get_type ())
G_DECLARE_FINAL_TYPE (DummyKeyring, dummy_keyring, DUMMY, KEYRING, GObject)

struct _DummyKeyring {
  GObject      parent_instance;
  GHashTable  *tokens; /* owned, of owned ids to owned texts */
  GTask       *waiting; /* owned, nullable: the lookup that waits for its answer */
  gboolean     waits;
  gboolean     locked;
  gboolean     was_interactive; /* the last lookup */
  unsigned int n_lookups;
};

/* Says that what was asked for is not there. */
void dummy_keyring_answer (DummyKeyring *self);

/* The logic of the session service, in a folder of its own, and a server for its tunnels. */
typedef struct {
  char         *scratch; /* owned */
  char         *folder;  /* owned, of the persistent tunnels; not there at first */
  DummyKeyring *keyring; /* owned */
  VtsVault     *vault;   /* owned */
  VtsManager   *manager; /* owned */
  VtServer     *server;  /* owned */
  char         *uri;     /* owned, the server's */
  GString      *log;     /* owned: what the manager and its tunnels told, "+" for added and so on */
} SessionFixture;

void session_fixture_set_up (SessionFixture *self, const void *data);
/* Closes all; nobody keeps the manager. */
void session_fixture_tear_down (SessionFixture *self, const void *data);

/* With a forward for each of the texts, up to NULL: "LISTEN=TARGET". */
VtsSettings *session_fixture_settings (const char *uri, const char *name, ...)
    G_GNUC_NULL_TERMINATED;
/* One for the session with a port that the server chooses, at the fixture's server. */
VtsTunnel *session_fixture_create (SessionFixture *self);
VtsTunnel *session_fixture_create_with (SessionFixture *self, const VtsSettings *settings,
                                        VtsLifetime lifetime, const char *owner);

/* Waits until it is closed. */
void session_fixture_close (VtsTunnel *tunnel);
/* The result is of the call. */
gboolean session_fixture_set_token (SessionFixture *self, VtsTunnel *tunnel, const char *token,
                                    VtsStorage storage, GError **error);
gboolean session_fixture_delete (SessionFixture *self, VtsTunnel *tunnel, GError **error);

/* Lets the main loop do something, or time pass. */
void session_turn (void);

#define SESSION_WAIT(condition)                                                                    \
  G_STMT_START                                                                                     \
  {                                                                                                \
    gint64 session_deadline = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;                       \
                                                                                                   \
    while (!(condition))                                                                           \
      {                                                                                            \
        session_turn ();                                                                           \
        if (g_get_monotonic_time () > session_deadline)                                            \
          g_error ("%s:%d: still not: %s", __FILE__, __LINE__, #condition);                        \
      }                                                                                            \
  }                                                                                                \
  G_STMT_END

#define SESSION_TEST(path, func)                                                                   \
  g_test_add (path, SessionFixture, NULL, session_fixture_set_up, func, session_fixture_tear_down)
