/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#include "vt-tool-monitor-view.h"

#include <locale.h>
#include <string.h>

#include "vt-tool-keys.h"
#include "vt-tool-monitor-lines.h"
#include "vt-tool-text.h"

/* The 24th of November 2026, 18:54:13 UTC. */
#define NOW (G_GINT64_CONSTANT (1795546453) * G_USEC_PER_SEC)
#define SECONDS(n) ((gint64) (n) *G_USEC_PER_SEC)

static GVariant *
parse (const char *text)
{
  return g_variant_ref_sink (g_variant_new_parsed (text));
}

static VtToolTunnel *
make_tunnel (const char *name, const char *state)
{
  g_autofree char *text = g_strdup_printf (
      "{'Id': <'id-%s'>, 'Name': <'%s'>, 'Uri': <'wss://example.org/'>, 'State': <'%s'>,"
      " 'Forwards': <@a(ssa{sv}) [('9000', 'localhost:3000', {}), ('*:0', 'unix:/a', {})]>}",
      name, name, state);
  g_autoptr(GVariant) properties = parse (text);
  VtToolTunnel *tunnel = vt_tool_tunnel_new (name);

  vt_tool_tunnel_set_properties (tunnel, properties);
  return tunnel;
}

static void
set_property (VtToolTunnel *tunnel, const char *name, GVariant *value)
{
  g_autoptr(GVariant) properties = NULL;
  GVariantDict dict;

  g_variant_dict_init (&dict, NULL);
  g_variant_dict_insert_value (&dict, name, value);
  properties = g_variant_ref_sink (g_variant_dict_end (&dict));
  vt_tool_tunnel_set_properties (tunnel, properties);
}

/* The first forward has moved so much by now, and has streams of `n` users. */
static void
count (VtToolTunnel *tunnel, guint64 sent, guint64 received, unsigned int n, gint64 now)
{
  GString *text = g_string_new ("{'rtt': <int64 4200>, 'forwards': <[{");
  g_autofree char *whole = NULL;
  g_autoptr(GVariant) statistics = NULL;

  g_string_append_printf (
      text,
      "'listen': <'9000'>, 'target': <'localhost:3000'>, 'state': <'listening'>,"
      "'bound-port': <uint16 9000>, 'bytes-sent': <uint64 %" G_GUINT64_FORMAT ">,"
      "'bytes-received': <uint64 %" G_GUINT64_FORMAT ">}, {'listen': <'*:0'>,"
      "'target': <'unix:/a'>, 'state': <'listening'>, 'bound-port': <uint16 41022>}]>,"
      "'streams': <@aa{sv} [",
      sent, received);
  for (unsigned int i = 1; i <= n; i++)
    g_string_append_printf (
        text,
        "%s{'id': <uint32 %u>, 'listen': <'9000'>, 'user-address': <'203.0.113.%u:50000'>,"
        "'opened-at': <int64 %" G_GINT64_FORMAT ">, 'bytes-sent': <uint64 %u>}",
        i > 1 ? "," : "", i, i, NOW - SECONDS (i * 10), i * 1000);
  g_string_append (text, "]>}");
  whole = g_string_free (text, FALSE);
  statistics = parse (whole);
  vt_tool_tunnel_set_statistics (tunnel, statistics, now);
}

typedef struct {
  GPtrArray *tunnels; /* owned */
  VtToolMonitorModel model;
  VtToolLook look;
  unsigned int first;
} World;

static void
world_init (World *self, unsigned int width)
{
  self->tunnels = g_ptr_array_new_with_free_func ((GDestroyNotify) vt_tool_tunnel_free);
  self->model = (VtToolMonitorModel){ .tunnels = self->tunnels, .now = NOW, .max_streams = 5 };
  self->look = (VtToolLook){ .width = width, .utf8 = TRUE };
  self->first = 0;
}

static void
world_clear (World *self)
{
  g_ptr_array_unref (self->tunnels);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (World, world_clear)

static VtToolTunnel *
world_add (World *self, const char *name, const char *state)
{
  VtToolTunnel *tunnel = make_tunnel (name, state);

  g_ptr_array_add (self->tunnels, tunnel);
  return tunnel;
}

static char *
join (GPtrArray *lines)
{
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **) lines->pdata);
}

static char *
list (World *self)
{
  g_autoptr(GPtrArray) lines = vt_tool_monitor_view_list (&self->model, &self->look);

  return join (lines);
}

static char *
screen (World *self, unsigned int height)
{
  g_autoptr(GPtrArray) body = vt_tool_monitor_view_list (&self->model, &self->look);
  g_autoptr(GPtrArray) lines =
      vt_tool_monitor_view_screen (&self->model, &self->look, height, body, &self->first);

  g_assert_cmpuint (lines->len, ==, height);
  return join (lines);
}

#define assert_has(text, part) g_assert_nonnull (strstr ((text), (part)))
#define assert_lacks(text, part) g_assert_null (strstr ((text), (part)))

static void
test_whole (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *text = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 80);
  tunnel = world_add (&world, "web", "connected");
  set_property (tunnel, "ConnectedSince", g_variant_new_int64 (NOW - SECONDS (200)));
  count (tunnel, 0, 0, 0, SECONDS (10));
  count (tunnel, 2400000, 34000, 2, SECONDS (12));
  count (tunnel, 2400000, 34000, 2, SECONDS (13));
  text = list (&world);
  g_assert_cmpstr (
      text, ==,
      "● web  connected 3 min  wss://example.org/                                4.2 ms\n"
      "  9000 → localhost:3000                               █▁  ↑    0 B/s  ↓    0 B/s\n"
      "    203.0.113.2:50000                               20 s  ↑   2.0 kB  ↓      0 B\n"
      "    203.0.113.1:50000                               10 s  ↑   1.0 kB  ↓      0 B\n"
      "  *:41022 → unix:/a                                   ▁▁  ↑    0 B/s  ↓    0 B/s");
}

static void
test_rates (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *text = NULL;
  g_autofree char *reset = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 100);
  tunnel = world_add (&world, "web", "connected");
  count (tunnel, 1000, 0, 0, SECONDS (10));
  count (tunnel, 2401000, 34000, 0, SECONDS (12));
  text = list (&world);
  assert_has (text, "↑ 1.2 MB/s  ↓  17 kB/s");

  /* A service that was started anew counts from nothing. */
  count (tunnel, 500, 0, 0, SECONDS (13));
  reset = list (&world);
  assert_has (reset, "↑    0 B/s  ↓    0 B/s");
}

static void
test_states (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *text = NULL;
  VtToolTunnel *waiting = NULL;

  world_init (&world, 80);
  waiting = world_add (&world, "a", "waiting");
  set_property (waiting, "NextRetry", g_variant_new_int64 (NOW + SECONDS (90)));
  set_property (waiting, "LastError", g_variant_new ("(ss)", "x", "Connection refused"));
  world_add (&world, "b", "failed");
  world_add (&world, "c", "needs-secrets");
  world_add (&world, "d", "a-state-of-later");
  text = list (&world);
  assert_has (text, "○ a  retry in 1 min    wss://example.org/\n  ! Connection refused\n");
  assert_has (text, "✗ b  failed            wss");
  assert_has (text, "○ c  needs a token     wss");
  assert_has (text, "○ d  a-state-of-later  wss");
}

static void
test_long_error (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *text = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 24);
  tunnel = world_add (&world, "a", "failed");
  set_property (tunnel, "LastError",
                g_variant_new ("(ss)", "x",
                               "one two three four five six seven eight nine ten "
                               "eleven twelve thirteen"));
  text = list (&world);
  assert_has (text, "\n  ! one two three four\n    five six seven eight\n"
                    "    nine ten eleven twe…\n");
}

static void
test_many_streams (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *few = NULL;
  g_autofree char *many = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 80);
  tunnel = world_add (&world, "web", "connected");
  count (tunnel, 0, 0, 40, SECONDS (10));
  few = list (&world);
  /* Those that moved most. */
  assert_has (few, " 203.0.113.40:50000");
  assert_has (few, " 203.0.113.36:50000");
  assert_lacks (few, " 203.0.113.35:50000");
  assert_has (few, "\n    … and 35 more streams\n");
  world.model.max_streams = 1000;
  many = list (&world);
  assert_has (many, " 203.0.113.1:50000");
  assert_lacks (many, "more stream");
}

/* Whatever the width, no line is wider, and none is left out. */
static void
test_widths (void)
{
  g_auto(World) world = { 0 };
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 80);
  tunnel = world_add (&world, "名前 of a tunnel that is long", "connected");
  count (tunnel, 0, 0, 7, SECONDS (10));
  world_add (&world, "b", "failed");
  for (world.look.width = 1; world.look.width < 260; world.look.width++)
    {
      g_autofree char *text = screen (&world, 18);
      g_auto(GStrv) lines = g_strsplit (text, "\n", -1);

      for (size_t i = 0; lines[i] != NULL; i++)
        g_assert_cmpuint (vt_tool_text_width (lines[i]), <=, world.look.width);
    }
}

static void
test_scrolling (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *top = NULL;
  g_autofree char *middle = NULL;
  g_autofree char *end = NULL;
  g_autofree char *tall = NULL;

  world_init (&world, 80);
  for (unsigned int i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("tunnel-%u", i);

      world_add (&world, name, "inactive");
    }
  top = screen (&world, 10);
  assert_has (top, "vtunnel  10 tunnels, 0 connected, 0 streams");
  assert_has (top, "tunnel-0");
  assert_has (top, "1–7 / 39");
  world.first = 4;
  middle = screen (&world, 10);
  assert_lacks (middle, "tunnel-0");
  assert_has (middle, "5–11 / 39");
  world.first = G_MAXINT;
  end = screen (&world, 10);
  g_assert_cmpuint (world.first, ==, 32);
  assert_has (end, "tunnel-9");
  assert_has (end, "33–39 / 39");
  tall = screen (&world, 60);
  g_assert_cmpuint (world.first, ==, 0);
  assert_lacks (tall, "PgUp");
}

static void
test_small_screens (void)
{
  g_auto(World) world = { 0 };

  world_init (&world, 80);
  world_add (&world, "web", "inactive");
  for (unsigned int height = 1; height < 6; height++)
    {
      g_autofree char *text = screen (&world, height);

      assert_has (text, "vtunnel  1 tunnel");
    }
}

static void
test_nothing (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *none = NULL;
  g_autofree char *unknown = NULL;
  g_autofree char *note = NULL;

  world_init (&world, 80);
  none = screen (&world, 24);
  assert_has (none, "There are no tunnels yet\nvtunnel-tool add NAME");
  world.model.name = "web";
  unknown = screen (&world, 24);
  assert_has (unknown, "There is no tunnel “web”");
  world.model.note = "The service is away";
  note = screen (&world, 24);
  assert_has (note, "\nThe service is away\n");
  assert_lacks (note, "There is no tunnel");
}

/* Nothing from outside moves the cursor, whatever it is a part of. */
static void
test_hostile (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *text = NULL;
  VtToolTunnel *tunnel = NULL;
  g_autoptr(GVariant) statistics =
      parse ("{'forwards': <[{'listen': <'\\u001b[2J'>, 'target': <'a\\nb'>, 'state': <'\\u009bx'>,"
             " 'error': <'\\u202eevil'>}]>,"
             " 'streams': <[{'listen': <'x'>, 'user-address': <'\\r\\u0007'>}]>}");

  world_init (&world, 120);
  tunnel = world_add (&world, "web", "connected");
  vt_tool_tunnel_set_statistics (tunnel, statistics, SECONDS (10));
  set_property (tunnel, "Name", g_variant_new_string ("a\033]0;x\007"));
  set_property (tunnel, "Uri", g_variant_new_string ("wss://\b\b"));
  set_property (tunnel, "LastError", g_variant_new ("(ss)", "x", "\033c\u2028"));
  text = list (&world);
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    g_assert_true (*at == '\n' || g_unichar_isprint (g_utf8_get_char (at)));
  assert_has (text, "a\\u001b]0;x\\u0007");
  assert_has (text, "\\u001b[2J → a\\u000ab");
  assert_has (text, "! \\u202eevil");
  assert_has (text, "\\u000d\\u0007");
  assert_has (text, "! \\u001bc\\u2028");
}

static void
test_ascii (void)
{
  g_auto(World) world = { 0 };
  g_autofree char *text = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 80);
  world.look.utf8 = FALSE;
  tunnel = world_add (&world, "名前", "connected");
  count (tunnel, 0, 0, 0, SECONDS (10));
  count (tunnel, 4000000, 0, 0, SECONDS (12));
  text = screen (&world, 10);
  g_assert_true (g_str_is_ascii (text));
  assert_has (text, "* ??  connected");
  assert_has (text, "9000 -> localhost:3000");
  assert_has (text, "#  ^ 2.0 MB/s  v    0 B/s");
}

/* Colour is put around the same text. */
static void
test_colour (void)
{
  g_auto(World) world = { 0 };
  g_autoptr(GRegex) codes = g_regex_new ("\033\\[[0-9;]*m", 0, 0, NULL);
  g_autofree char *plain = NULL;
  g_autofree char *coloured = NULL;
  g_autofree char *stripped = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 80);
  tunnel = world_add (&world, "web", "connected");
  count (tunnel, 0, 0, 9, SECONDS (10));
  plain = screen (&world, 24);
  world.look.colour = TRUE;
  coloured = screen (&world, 24);
  assert_lacks (plain, "\033");
  assert_has (coloured, "\033[32m● \033[0m\033[1mweb\033[0m");
  stripped = g_regex_replace_literal (codes, coloured, -1, 0, "", 0, NULL);
  g_assert_cmpstr (stripped, ==, plain);
}

static void
assert_lines (VtToolLines *lines, World *world, const char *note, const char *expected)
{
  g_autofree char *text = vt_tool_lines_update (lines, world->tunnels, note, NOW);

  g_assert_cmpstr (text, ==, expected);
}

#define AT "2026-11-24 18:54:13 "

static void
test_lines (void)
{
  g_auto(World) world = { 0 };
  g_autoptr(VtToolLines) lines = NULL;
  VtToolTunnel *tunnel = NULL;

  world_init (&world, 0);
  lines = vt_tool_lines_new (&world.look);
  assert_lines (lines, &world, "Not there", AT "Not there\n");
  assert_lines (lines, &world, "Not there", "");
  tunnel = world_add (&world, "web", "connecting");
  assert_lines (lines, &world, NULL, AT "web: connecting: wss://example.org/\n");
  set_property (tunnel, "State", g_variant_new_string ("connected"));
  count (tunnel, 0, 0, 0, SECONDS (10));
  assert_lines (lines, &world, NULL,
                AT "web: connected: wss://example.org/\n" AT
                   "web: 9000 → localhost:3000: listening\n" AT
                   "web: *:41022 → unix:/a: listening\n");
  count (tunnel, 500, 0, 1, SECONDS (11));
  set_property (tunnel, "ActiveStreams", g_variant_new_uint32 (1));
  assert_lines (lines, &world, NULL, AT "web: 1 stream\n");
  assert_lines (lines, &world, NULL, "");
  set_property (tunnel, "LastError", g_variant_new ("(ss)", "x", "no\nway"));
  set_property (tunnel, "State", g_variant_new_string ("failed"));
  assert_lines (lines, &world, NULL, AT "web: failed: no\\u000away\n");
  g_ptr_array_set_size (world.tunnels, 0);
  assert_lines (lines, &world, NULL, AT "web: removed\n");
}

/* A service that goes away has removed no tunnel, and tells of all of them when it is back. */
static void
test_lines_without_service (void)
{
  g_auto(World) world = { 0 };
  g_autoptr(VtToolLines) lines = NULL;

  world_init (&world, 0);
  lines = vt_tool_lines_new (&world.look);
  world_add (&world, "web", "inactive");
  assert_lines (lines, &world, NULL, AT "web: inactive\n");
  assert_lines (lines, &world, "Gone", AT "Gone\n");
  assert_lines (lines, &world, NULL, AT "web: inactive\n");
}

static VtToolKey
press (const char *bytes)
{
  VtToolKeys keys = { 0 };
  VtToolKey key = VT_TOOL_KEY_NONE;

  for (const char *at = bytes; *at != '\0'; at++)
    {
      g_assert_cmpint (key, ==, VT_TOOL_KEY_NONE);
      key = vt_tool_keys_read (&keys, *at);
    }
  return key;
}

static void
test_keys (void)
{
  static const struct {
    const char *bytes;
    VtToolKey key;
  } cases[] = {
    { "q", VT_TOOL_KEY_QUIT },
    { "x", VT_TOOL_KEY_NONE },
    { "j", VT_TOOL_KEY_DOWN },
    { "\033[A", VT_TOOL_KEY_UP },
    { "\033OB", VT_TOOL_KEY_DOWN },
    { "\033[5~", VT_TOOL_KEY_PAGE_UP },
    { "\033[6~", VT_TOOL_KEY_PAGE_DOWN },
    { "\033[H", VT_TOOL_KEY_HOME },
    { "\033[4~", VT_TOOL_KEY_END },
    { "\033[1;5A", VT_TOOL_KEY_UP },
    { "\033q", VT_TOOL_KEY_NONE },
    { "\033[q", VT_TOOL_KEY_NONE },
    { "\033[99999999999~", VT_TOOL_KEY_NONE },
    /* One that was cut off does not swallow the next one. */
    { "\033[\033[B", VT_TOOL_KEY_DOWN },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpint (press (cases[i].bytes), ==, cases[i].key);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_ALL, "");
  g_setenv ("TZ", "UTC", TRUE);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tool-monitor/view/whole", test_whole);
  g_test_add_func ("/tool-monitor/view/rates", test_rates);
  g_test_add_func ("/tool-monitor/view/states", test_states);
  g_test_add_func ("/tool-monitor/view/long-error", test_long_error);
  g_test_add_func ("/tool-monitor/view/many-streams", test_many_streams);
  g_test_add_func ("/tool-monitor/view/widths", test_widths);
  g_test_add_func ("/tool-monitor/view/scrolling", test_scrolling);
  g_test_add_func ("/tool-monitor/view/small-screens", test_small_screens);
  g_test_add_func ("/tool-monitor/view/nothing", test_nothing);
  g_test_add_func ("/tool-monitor/view/hostile", test_hostile);
  g_test_add_func ("/tool-monitor/view/ascii", test_ascii);
  g_test_add_func ("/tool-monitor/view/colour", test_colour);
  g_test_add_func ("/tool-monitor/lines/changes", test_lines);
  g_test_add_func ("/tool-monitor/lines/without-service", test_lines_without_service);
  g_test_add_func ("/tool-monitor/keys/table", test_keys);
  return g_test_run ();
}
