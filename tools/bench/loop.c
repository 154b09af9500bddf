/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* One side of a tunnel, or neither, with a timer of 10 ms in the same main context.
 *
 *     bench-loop server PORT
 *     bench-loop client URI FORWARD
 *     bench-loop alone
 *
 * SIGUSR1 asks how late the timer was at most since it was asked last; the answer is a line of JSON
 * on standard output. The first line comes unasked, as soon as a question can be. SIGTERM ends it.
 */

#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <vtunnel/vtunnel.h>

#define INTERVAL_MS 10

typedef struct {
  GSource *timer;   /* owned */
  gint64 late;      /* at most, in microseconds */
  unsigned n_ticks; /* since the last question */
} Watch;

static void
note_lateness (Watch *watch)
{
  gint64 late = g_get_monotonic_time () - g_source_get_ready_time (watch->timer);

  watch->late = MAX (watch->late, late);
}

static gboolean
tick_cb (gpointer user_data)
{
  Watch *watch = user_data;

  note_lateness (watch);
  watch->n_ticks++;
  return G_SOURCE_CONTINUE;
}

static void
answer (Watch *watch)
{
  g_print ("{\"late_us\": %" G_GINT64_FORMAT ", \"ticks\": %u}\n", watch->late, watch->n_ticks);
  watch->late = 0;
  watch->n_ticks = 0;
}

/* A timer that is overdue right now counts, too. */
static gboolean
asked_cb (gpointer user_data)
{
  note_lateness (user_data);
  answer (user_data);
  return G_SOURCE_CONTINUE;
}

static GSource *
attach (GSource *source, GSourceFunc callback, Watch *watch)
{
  g_source_set_callback (source, callback, watch, NULL);
  g_source_attach (source, NULL);
  return source;
}

static void
opened_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;

  if (!vt_client_open_finish (VT_CLIENT (source), result, &error))
    g_error ("%s", error->message);
}

static void
listening_cb (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;

  if (!vt_client_listen_finish (VT_CLIENT (source), result, &error))
    g_error ("%s", error->message);
}

static GObject *
start_client (const char *uri, const char *text)
{
  VtClient *client = vt_client_new (uri);
  g_autoptr(GError) error = NULL;
  g_autoptr(GPtrArray) forwards = vt_forward_parse (text, &error);

  if (forwards == NULL)
    g_error ("%s", error->message);
  for (unsigned int i = 0; i < forwards->len; i++)
    vt_client_listen_async (client, forwards->pdata[i], NULL, listening_cb, NULL);
  vt_client_open_async (client, NULL, opened_cb, NULL);
  return G_OBJECT (client);
}

static GObject *
start_server (const char *port)
{
  VtServer *server = vt_server_new ();
  g_autoptr(GError) error = NULL;

  if (!vt_server_listen (server, "127.0.0.1", atoi (port), &error))
    g_error ("%s", error->message);
  return G_OBJECT (server);
}

int
main (int argc, char **argv)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(GObject) side = NULL;
  g_autoptr(GSource) timer = g_timeout_source_new (INTERVAL_MS);
  g_autoptr(GSource) asked = g_unix_signal_source_new (SIGUSR1);
  Watch watch = { timer, 0, 0 };

  if (argc == 4 && g_str_equal (argv[1], "client"))
    side = start_client (argv[2], argv[3]);
  else if (argc == 3 && g_str_equal (argv[1], "server"))
    side = start_server (argv[2]);
  attach (asked, asked_cb, &watch);
  attach (timer, tick_cb, &watch);
  answer (&watch);
  g_main_loop_run (loop);
  return 0;
}
