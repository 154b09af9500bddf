/* SPDX-FileCopyrightText: The libvtunnel authors
 * SPDX-License-Identifier: MIT */

#pragma once

#include "mux-wire.h"
#include "vt-mux-stream-private.h"
#include "vt-replay-private.h"

/* One end of a session: a mux over a link in memory. Alone, or one of a pair. What it sends and
 * what it hears is written down as text, a line each, until somebody looks. In v2 what one of a
 * pair sends is checked against the rules, too (mux-wire.h). */
typedef struct _Side Side;
typedef struct _User User;

struct _Side {
  VtMux        *mux;
  VtClock      *clock;   /* owned, a fake one; a pair has the same */
  Side         *peer;    /* NULL: alone, and messages are written down */
  unsigned int  protocol;
  VtReplay     *replay;  /* owned; NULL: what is counted is not kept */
  gboolean      cut;     /* there is no link: with a replay only */
  gboolean      broken;  /* the link carries nothing more, and nobody need have noticed */
  gboolean      suspends; /* when the other side is silent; else it lets go of the mux */
  WireBook      book;    /* v2, of a pair */
  GQueue        inbox;   /* owned, messages on their way to this side */
  size_t        queued;  /* bytes on their way from it */
  gboolean      was_high;
  gboolean      endless; /* the link never tells of anything queued */
  gboolean      logs;    /* what is sent is written down in a pair, too */
  gboolean      reading;
  unsigned int  n_pauses;
  GString      *sent;
  GString      *heard;
  GPtrArray    *users; /* owned, of the streams that were opened, in their order */
  gboolean      lazy;  /* users neither accept nor read by themselves */
  gboolean      quiet; /* connections and refusals are not written down */
  guint32       asks_again; /* the id with which a refused port is asked for again, 0: it is not */
  gboolean      takes_back; /* a port as soon as it is open */
  unsigned int  n_messages;
  guint32       last_listen; /* the id of the last listen_requested */
};

/* Who uses a stream. */
struct _User {
  Side        *side;
  VtMuxStream *stream; /* owned */
  GByteArray  *received;
  GString     *heard; /* the events: "o", "r", "w", "c" and "C" for closed with an error */
  GError      *error;
  gboolean     reads;
  gssize       unsent; /* what it says of what it was given and has not sent, -1: nothing */
  unsigned int n_asked; /* for that */
  size_t       to_write;
  size_t       written;
  size_t       max_piece; /* of one write, 0: what there is room for */
  unsigned int seed;
  void       (*meddle) (User *self); /* nullable: does more, in `readable` and `writable` */
};

Side *side_new (VtMuxRole role, VtClock *clock, const VtMuxConfig *config);
void  side_free (Side *self);
/* The owner lets go of the mux; streams go on. */
void side_drop_mux (Side *self, const GError *error);
/* Says a message to it. */
void side_say (Side *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
void side_say_data (Side *self, guint32 stream_id, size_t length);
/* v2: says a message of frames, as mux-wire.h writes them. */
void side_say_frames (Side *self, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* What was written down since the last look; `expected` has the lines, without the last "\n". */
void side_expect_sent (Side *self, const char *expected);
void side_expect_heard (Side *self, const char *expected);
User *side_get_user (Side *self, unsigned int index);
/* Opens a stream, and takes it. */
User *side_open (Side *self, guint32 listen_id);

void pair_join (Side *a, Side *b);
/* At most `n` messages; gives how many. */
unsigned int side_deliver (Side *self, unsigned int n);
/* Until nothing moves; time goes on by a few microseconds only. */
void pair_settle (Side *a, Side *b);
/* A server with the port 8080 open as listen 1, and a client that knows. */
void pair_new (Side **client, Side **server);
void pair_new_with_buffer (Side **client, Side **server, size_t max_buffer);
void pair_free (Side *client, Side *server);

/* v2: the other side takes so much; NULL: what ours takes. */
void side_greet (Side *self, const VtControlLimits *limits);
/* From now on, what is counted is kept until it is acknowledged. */
void side_keep (Side *self);
/* One that is alone, in v2, with the port 8080 open as listen 1; nothing of that is written down
 * any more. Users are lazy. */
Side *side_new_v2 (VtMuxRole role, const VtMuxConfig *config);
/* As pair_new (), in v2; `config` NULL: the defaults. The round-trip time is known: a
 * microsecond. */
void pair_new_v2 (Side **client, Side **server, const VtMuxConfig *config);
/* To the link. */
void side_put (GBytes *message, gboolean text, void *user_data);
void side_clear_inbox (Side *self);
/* The link breaks, and of what is under way only the first messages arrive, so many on each side,
 * while it has not noticed. */
void pair_break (Side *a, Side *b, unsigned int n_a, unsigned int n_b);
/* It notices that there is no link. */
void side_leave_link (Side *self);
/* The link is gone with all that is under way; and there is a new one. */
void pair_cut (Side *a, Side *b);
void pair_mend (Side *a, Side *b);

/* The side's from then on. */
User *user_new (Side *side, VtMuxStream *stream);
void user_free (User *self);
void user_expect (User *self, const char *heard);
void user_listen (User *self);
void user_read_all (User *self);
void user_write (User *self, size_t length);
void user_expect_received (User *self, unsigned int seed, size_t length);
/* Forgets the stream; the object stays for the test. */
void user_release (User *self);
