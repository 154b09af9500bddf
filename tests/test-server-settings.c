/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include <vtunnel/vtunnel.h>

/* The numbers that a server is told, one by one. */

typedef struct {
  const char *name;
  unsigned int value;
  unsigned int least;
  unsigned int most;
  unsigned int (*get) (VtServer *);
  void (*set) (VtServer *, unsigned int);
} Number;

#define NUMBER(name, function, value, least, most)                                                 \
  {                                                                                                \
    name, value, least, most, vt_server_get_##function, vt_server_set_##function                   \
  }

static const Number numbers[] = {
  NUMBER ("max-sessions", max_sessions, 1000, 0, G_MAXUINT),
  NUMBER ("max-sessions-per-address", max_sessions_per_address, 100, 0, G_MAXUINT),
  NUMBER ("max-forwards", max_forwards, 64, 0, G_MAXUINT),
  NUMBER ("max-streams", max_streams, 8192, 1, G_MAXUINT),
  NUMBER ("max-opening", max_opening, 1024, 1, G_MAXUINT),
  NUMBER ("max-accept-rate", max_accept_rate, 20000, 0, G_MAXUINT),
  NUMBER ("max-head-size", max_head_size, 16384, 1024, 65536),
  NUMBER ("request-timeout", request_timeout, 10, 1, G_MAXUINT16),
  NUMBER ("max-message-size", max_message_size, 1048576, 65536, 1048576),
  NUMBER ("max-json-depth", max_json_depth, 8, 2, 64),
  NUMBER ("max-window", max_window, 16777216, 16384, 16777216),
  NUMBER ("max-control-rate", max_control_rate, 1000, 0, G_MAXUINT),
  NUMBER ("max-ping-rate", max_ping_rate, 100, 0, G_MAXUINT),
  NUMBER ("max-reset-rate", max_reset_rate, 20000, 0, G_MAXUINT),
  NUMBER ("ping-interval", ping_interval, 30, 0, G_MAXUINT16),
  NUMBER ("ping-timeout", ping_timeout, 15, 1, G_MAXUINT16),
  NUMBER ("resume-timeout", resume_timeout, 60, 0, G_MAXUINT16),
};

static void
count_cb (VtServer *server, GParamSpec *pspec, unsigned int *n)
{
  ++*n;
}

static void
expect (VtServer *server, const Number *number, unsigned int value)
{
  unsigned int got;

  g_assert_cmpuint (number->get (server), ==, value);
  g_object_get (server, number->name, &got, NULL);
  g_assert_cmpuint (got, ==, value);
}

/* By its function and as a property, each at both borders; told of once when it is another one, and
 * of no other number. */
static void
test_number (const void *data)
{
  const Number *number = data;
  g_autoptr(VtServer) server = vt_server_new ();
  g_autofree char *signal = g_strconcat ("notify::", number->name, NULL);
  unsigned int n_notified = 0, n_all = 0;

  g_signal_connect (server, signal, G_CALLBACK (count_cb), &n_notified);
  g_signal_connect (server, "notify", G_CALLBACK (count_cb), &n_all);
  expect (server, number, number->value);
  number->set (server, number->value);
  g_assert_cmpuint (n_notified, ==, 0);
  number->set (server, number->least);
  number->set (server, number->least);
  expect (server, number, number->least);
  g_assert_cmpuint (n_notified, ==, 1);
  g_object_set (server, number->name, number->least + 1, NULL);
  g_object_set (server, number->name, number->least + 1, NULL);
  expect (server, number, number->least + 1);
  g_assert_cmpuint (n_notified, ==, 2);
  number->set (server, number->most);
  expect (server, number, number->most);
  g_assert_cmpuint (n_notified, ==, 3);
  g_assert_cmpuint (n_all, ==, 3);
}

/* An application that sets what cannot be is told so, and nothing changes. */
static void
test_borders (const void *data)
{
  const Number *number = data;
  GObjectClass *klass = g_type_class_ref (VT_TYPE_SERVER);
  GParamSpec *pspec = g_object_class_find_property (klass, number->name);

  g_assert_cmpuint (G_PARAM_SPEC_UINT (pspec)->minimum, ==, number->least);
  g_assert_cmpuint (G_PARAM_SPEC_UINT (pspec)->maximum, ==, number->most);
  g_assert_cmpuint (G_PARAM_SPEC_UINT (pspec)->default_value, ==, number->value);
  g_type_class_unref (klass);
}

static void
expect_refusal (const Number *number, unsigned int value)
{
  g_autoptr(VtServer) server = vt_server_new ();

  g_test_expect_message ("vtunnel", G_LOG_LEVEL_CRITICAL, "*assertion*failed*");
  number->set (server, value);
  g_test_assert_expected_messages ();
  expect (server, number, number->value);
}

static void
test_beyond (const void *data)
{
  const Number *number = data;

  if (number->least > 0)
    expect_refusal (number, number->least - 1);
  if (number->most < G_MAXUINT)
    expect_refusal (number, number->most + 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    {
      g_autofree char *path = g_strconcat ("/server/settings/number/", numbers[i].name, NULL);
      g_autofree char *borders = g_strconcat ("/server/settings/borders/", numbers[i].name, NULL);
      g_autofree char *beyond = g_strconcat ("/server/settings/beyond/", numbers[i].name, NULL);

      g_test_add_data_func (path, &numbers[i], test_number);
      g_test_add_data_func (borders, &numbers[i], test_borders);
      g_test_add_data_func (beyond, &numbers[i], test_beyond);
    }
  return g_test_run ();
}
