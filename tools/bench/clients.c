/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

/* Many clients in one process, each with as many ports of the server as it is told.
 *
 *     bench-clients URI CLIENTS FORWARDS TARGET
 *
 * When all are connected and listen, a line of JSON on standard output says how many of them went
 * on with their session, and which ports they have; and again each time when some had lost their
 * connection, and all are back. SIGUSR1 cuts all connections.
 */

#include <glib-unix.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <vtunnel/vtunnel.h>

typedef struct {
  GPtrArray *members;     /* owned, of Member; the clients */
  unsigned int n_up;      /* members that are connected, and whose ports are open */
  unsigned int n_resumed; /* sessions that went on, over all members */
  guint16 server_port;
} Crowd;

typedef struct {
  Crowd *crowd;        /* not owned */
  VtClient *client;    /* owned */
  GPtrArray *forwards; /* owned, of VtForward */
  gboolean connected;
  gboolean up;
} Member;

static void
tell (Crowd *crowd)
{
  g_autoptr(GString) ports = g_string_new (NULL);
  unsigned int n_resumed = 0;

  for (unsigned int i = 0; i < crowd->members->len; i++)
    {
      Member *member = crowd->members->pdata[i];

      n_resumed += vt_client_get_n_resumed (member->client);
      for (unsigned int j = 0; j < member->forwards->len; j++)
        g_string_append_printf (ports, "%s%u", ports->len > 0 ? ", " : "",
                                vt_forward_get_bound_port (member->forwards->pdata[j]));
    }
  g_print ("{\"resumed\": %u, \"ports\": [%s]}\n", n_resumed - crowd->n_resumed, ports->str);
  crowd->n_resumed = n_resumed;
}

static void
update (Member *member)
{
  Crowd *crowd = member->crowd;
  gboolean up = member->connected;

  for (unsigned int i = 0; i < member->forwards->len; i++)
    up &= vt_forward_get_state (member->forwards->pdata[i]) == VT_FORWARD_STATE_LISTENING;
  if (up == member->up)
    return;
  member->up = up;
  crowd->n_up += up ? 1 : -1;
  if (crowd->n_up == crowd->members->len)
    tell (crowd);
}

static void
state_cb (VtClient *client, GParamSpec *pspec, gpointer user_data)
{
  Member *member = user_data;

  if (vt_client_get_state (client) == VT_CLIENT_STATE_CLOSED)
    g_error ("A client is closed: %s", vt_client_get_error (client)->message);
  member->connected = vt_client_get_state (client) == VT_CLIENT_STATE_OPEN;
  update (member);
}

static void
forward_state_cb (VtForward *forward, GParamSpec *pspec, gpointer user_data)
{
  update (user_data);
}

static Member *
member_new (Crowd *crowd, const char *uri, unsigned int n_forwards, VtTarget *target)
{
  Member *member = g_new0 (Member, 1);

  member->crowd = crowd;
  member->client = vt_client_new (uri);
  member->forwards = g_ptr_array_new_with_free_func (g_object_unref);
  g_signal_connect (member->client, "notify::state", G_CALLBACK (state_cb), member);
  for (unsigned int i = 0; i < n_forwards; i++)
    {
      VtForward *forward = vt_forward_new (0, target);

      g_ptr_array_add (member->forwards, forward);
      g_signal_connect (forward, "notify::state", G_CALLBACK (forward_state_cb), member);
      vt_client_listen_async (member->client, forward, NULL, NULL, NULL);
    }
  return member;
}

/* Whether the descriptor is a connection to the server. */
static gboolean
leads_to (int fd, guint16 port)
{
  struct sockaddr_in peer = { 0 };
  socklen_t length = sizeof peer;

  return getpeername (fd, (struct sockaddr *) &peer, &length) == 0 && peer.sin_family == AF_INET
         && ntohs (peer.sin_port) == port;
}

/* As the network would: behind the library's back, and at once for both sides. */
static gboolean
cut_cb (gpointer user_data)
{
  Crowd *crowd = user_data;
  struct rlimit limit;

  for (unsigned int i = 0; i < crowd->members->len; i++)
    {
      Member *member = crowd->members->pdata[i];

      member->connected = FALSE;
      update (member);
    }
  getrlimit (RLIMIT_NOFILE, &limit);
  for (unsigned int fd = 0; fd < limit.rlim_cur; fd++)
    if (leads_to (fd, crowd->server_port))
      shutdown (fd, SHUT_RDWR);
  return G_SOURCE_CONTINUE;
}

int
main (int argc, char **argv)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new (NULL, FALSE);
  g_autoptr(GUri) uri = NULL;
  g_autoptr(VtTarget) target = NULL;
  g_autoptr(GError) error = NULL;
  Crowd crowd = { g_ptr_array_new (), 0, 0, 0 };

  if (argc != 5)
    g_error ("bench-clients URI CLIENTS FORWARDS TARGET");
  uri = g_uri_parse (argv[1], G_URI_FLAGS_NONE, &error);
  if (uri == NULL || (target = vt_target_parse (argv[4], &error)) == NULL)
    g_error ("%s", error->message);
  crowd.server_port = g_uri_get_port (uri);
  for (int i = 0; i < atoi (argv[2]); i++)
    g_ptr_array_add (crowd.members, member_new (&crowd, argv[1], atoi (argv[3]), target));
  for (unsigned int i = 0; i < crowd.members->len; i++)
    vt_client_open_async (((Member *) crowd.members->pdata[i])->client, NULL, NULL, NULL);
  g_unix_signal_add (SIGUSR1, cut_cb, &crowd);
  g_main_loop_run (loop);
  return 0;
}
