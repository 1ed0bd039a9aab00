#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "wire/client.h"
#include "wire/frame.h"
#include "unit.h"

static void decode_request(const char *json, struct wire_request *request)
{
	ck_assert_ok(wire_decode_request(json, strlen(json), request));
}

START_TEST(test_request_round_trip)
{
	struct wire_request request = {.type = WIRE_WAIT,
				       .wait = {.state = "unlocked", .timeout_ms = INT64_MAX}};
	struct wire_request back;
	char *json;
	size_t len;

	ck_assert_ok(wire_encode_request(&request, &json, &len));
	ck_assert_str_eq(json,
			 "{\"wait\":{\"state\":\"unlocked\",\"timeout_ms\":9223372036854775807}}");
	ck_assert_uint_eq(len, strlen(json));
	decode_request(json, &back);
	ck_assert_int_eq(back.type, WIRE_WAIT);
	ck_assert_str_eq(back.wait.state, "unlocked");
	ck_assert_int_eq(back.wait.timeout_ms, INT64_MAX);
	free(json);
}
END_TEST

START_TEST(test_every_byte_of_a_path_survives)
{
	struct wire_request request = {.type = WIRE_LOCATE};
	struct wire_request back;
	char *json;
	size_t len;

	for (int i = 0; i < 255; i++)
		request.locate.path[i] = (char)(i + 1);
	ck_assert_ok(wire_encode_request(&request, &json, &len));
	for (size_t i = 0; i < len; i++)
		ck_assert(json[i] >= 0x20 && json[i] < 0x7f);
	decode_request(json, &back);
	ck_assert_str_eq(back.locate.path, request.locate.path);
	free(json);
}
END_TEST

START_TEST(test_longest_path_fits_a_frame)
{
	struct wire_request request = {.type = WIRE_LOCATE};
	struct wire_request back;
	char *json;
	size_t len;

	memset(request.locate.path, 0xff, sizeof(request.locate.path) - 1);
	ck_assert_ok(wire_encode_request(&request, &json, &len));
	ck_assert_uint_le(len, WIRE_JSON_MAX);
	decode_request(json, &back);
	ck_assert_uint_eq(strlen(back.locate.path), sizeof(back.locate.path) - 1);
	free(json);
}
END_TEST

START_TEST(test_malformed_requests_are_refused)
{
	static const char *const wrong[] = {
		"", "{", "{}", "[]", "null", "7", "\"status\"", "{\"status\":{}", "{\"status\":[]}",
		"{\"status\":null}", "{\"status\":{}}{}", " {\"status\":7}",
		"{\"status\":{},\"lock\":{}}", "{\"Status\":{}}", "{\"stat\":{}}",
		"{\"status\":{\"slot\":1}}", "{\"lock\":{\"force\":true}}",
		"{\"lock\":{\"now\":1}}", "{\"lock\":{\"now\":\"true\"}}",
		"{\"lock\":{\"now\":null}}", "{\"lock\":{\"grace_ms\":\"1\"}}",
		"{\"lock\":{\"grace_ms\":1.5}}", "{\"lock\":{\"grace_ms\":9223372036854775808}}",
		"{\"lock\":{\"grace_ms\":[1]}}", "{'status':{}}", "{\"status\":{},}",
		"{\"why\":{\"user\":7}}", "{\"why\":{\"user\":\"%\"}}",
		"{\"why\":{\"user\":\"%4\"}}", "{\"why\":{\"user\":\"%zz\"}}",
		"{\"why\":{\"user\":\"%00\"}}", "{\"why\":{\"user\":\"a\\nb\"}}",
		"{\"why\":{\"user\":\"a\\u0000b\"}}", "{\"why\":{\"user\":\"\xc3\xbc\"}}",
		"{\"why\":{\"user\":\"\xff\"}}", "{\"why\":{\"user\":{\"a\":{\"b\":{}}}}}",
		"{\"wait\":{\"state\":\"0123456789abcdef\"}}",
	};
	struct wire_request request;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		ck_assert_msg(wire_decode_request(wrong[i], strlen(wrong[i]), &request) ==
				      ERR_FORMAT,
			      "accepted: %s", wrong[i]);
}
END_TEST

/* Whatever is done to a good message, decoding ends, inside its buffer, with a verdict. */
START_TEST(test_truncated_and_flipped_messages)
{
	static const char good[] =
		"{\"unlock\":{\"slot\":3,\"is_keyfile\":true}}";
	struct wire_request request;
	struct wire_reply *reply = calloc(1, sizeof(*reply));

	for (size_t len = 0; len < sizeof(good) - 1; len++) {
		char *copy = malloc(len + 1);

		memcpy(copy, good, len);
		ck_assert_int_eq(wire_decode_request(copy, len, &request), ERR_FORMAT);
		free(copy);
	}
	for (size_t bit = 0; bit < 8 * (sizeof(good) - 1); bit++) {
		char *copy = malloc(sizeof(good) - 1);
		enum err err;

		memcpy(copy, good, sizeof(good) - 1);
		copy[bit / 8] = (char)(copy[bit / 8] ^ (1 << bit % 8));
		err = wire_decode_request(copy, sizeof(good) - 1, &request);
		/* Only the digit has other values that mean something. */
		ck_assert(err == ERR_FORMAT || (err == ERR_OK && request.unlock.slot != 3));
		ck_assert_int_eq(wire_decode_reply(WIRE_UNLOCK, copy, sizeof(good) - 1, reply),
				 ERR_FORMAT);
		free(copy);
	}
	free(reply);
}
END_TEST

START_TEST(test_parts_are_those_of_their_request)
{
	struct wire_holder holder = {.pid = 812, .program = "storescp", .user = "_pacs", .writing = 2};
	struct wire_reply *reply = calloc(1, sizeof(*reply));
	char *json;
	size_t len;

	ck_assert_ok(wire_encode_part(WIRE_LOCK, &holder, &json, &len));
	ck_assert_ok(wire_decode_reply(WIRE_LOCK, json, len, reply));
	ck_assert(!reply->is_result);
	ck_assert_int_eq(reply->lock.pid, 812);
	ck_assert_str_eq(reply->lock.program, "storescp");
	ck_assert_int_eq(wire_decode_reply(WIRE_STATUS, json, len, reply), ERR_FORMAT);
	ck_assert_int_eq(wire_decode_reply(WIRE_TYPE_COUNT, json, len, reply), ERR_INVALID);
	free(json);
	free(reply);
}
END_TEST

START_TEST(test_json_for_scripts_has_every_field)
{
	struct wire_holder holder = {.pid = 7, .user = "Müller 100%"};
	struct json_object *object = wire_part_to_json(WIRE_HOLDERS, &holder), *value;

	ck_assert_int_eq(json_object_object_length(object), 6);
	ck_assert(json_object_object_get_ex(object, "user", &value));
	ck_assert_str_eq(json_object_get_string(value), "Müller 100%");
	ck_assert(json_object_object_get_ex(object, "files", &value));
	ck_assert_int_eq(json_object_get_int64(value), 0);
	json_object_put(object);
}
END_TEST

/* --- frames ------------------------------------------------------------------- */

static void make_pair(int ends[2])
{
	struct timeval limit = {.tv_sec = 10};

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static void put_frame(int fd, uint32_t json_len, uint32_t secret_len, const void *bytes, size_t len)
{
	uint8_t header[8];

	store_u32(header, json_len);
	store_u32(header + 4, secret_len);
	ck_assert_int_eq(write(fd, header, 8), 8);
	if (len > 0)
		ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
}

START_TEST(test_secret_travels_beside_the_json)
{
	struct wire_request request = {.type = WIRE_UNLOCK, .unlock = {.slot = 2}};
	struct wire_request back;
	int ends[2];

	make_pair(ends);
	request.secret = (uint8_t *)"pass\nword";
	request.secret_len = 9;
	ck_assert_ok(wire_send_request(ends[0], &request));
	ck_assert_ok(wire_receive_request(ends[1], &back));
	ck_assert_int_eq(back.unlock.slot, 2);
	ck_assert_uint_eq(back.secret_len, 9);
	ck_assert_mem_eq(back.secret, "pass\nword", 9);
	wire_request_clear(&back);
	ck_assert_ptr_null(back.secret);
	request.type = WIRE_STATUS;
	ck_assert_int_eq(wire_send_request(ends[0], &request), ERR_INVALID);
	close(ends[0]);
	ck_assert_int_eq(wire_receive_request(ends[1], &back), ERR_NOT_FOUND);
	close(ends[1]);
}
END_TEST

START_TEST(test_bad_frames_are_refused_before_memory_is_taken)
{
	static const struct {
		uint32_t json, secret;
		const char *bytes;
	} wrong[] = {
		{0, 0, ""},
		{WIRE_JSON_MAX + 1, 0, ""},
		{UINT32_MAX, UINT32_MAX, ""},
		{13, WIRE_SECRET_MAX + 1, "{\"status\":{}}"},
		{13, 4, "{\"status\":{}}word"}, /* a secret where none belongs */
		{13, 0, "{\"status\":{"},       /* closed inside */
		{13, 4, "{\"unlock\":{}}wo"},
	};
	struct wire_request request = {0};
	struct wire_reply *reply = calloc(1, sizeof(*reply));
	int ends[2];

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		make_pair(ends);
		put_frame(ends[0], wrong[i].json, wrong[i].secret, wrong[i].bytes,
			  strlen(wrong[i].bytes));
		close(ends[0]);
		ck_assert_int_eq(wire_receive_request(ends[1], &request), ERR_FORMAT);
		ck_assert_ptr_null(request.secret);
		close(ends[1]);
	}
	make_pair(ends); /* replies never carry a secret */
	put_frame(ends[0], 13, 1, "{\"result\":{}}x", 14);
	ck_assert_int_eq(wire_receive_reply(ends[1], WIRE_STATUS, reply), ERR_FORMAT);
	close(ends[0]);
	close(ends[1]);
	free(reply);
}
END_TEST

/* --- the client against a small server ------------------------------------------- */

static char socket_path[64];

static int listen_there(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(socket_path, sizeof(socket_path), "test_wire.%d.sock", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

/* Two holders and "busy" to the first request, then hangs up. */
static void *serve(void *ctx)
{
	struct wire_holder holder = {.pid = 1};
	struct wire_request request = {0};
	int fd = accept(*(int *)ctx, NULL, NULL);

	if (wire_receive_request(fd, &request) == ERR_OK && request.type == WIRE_LOCK &&
	    request.lock.now && wire_send_part(fd, WIRE_LOCK, &holder) == ERR_OK) {
		holder.pid = 2;
		if (wire_send_part(fd, WIRE_LOCK, &holder) != ERR_OK ||
		    wire_send_result(fd, ERR_BUSY, "2 files are being written", NULL) != ERR_OK)
			holder.pid = 0;
	}
	close(fd);
	return NULL;
}

static void add_pid(void *ctx, const void *part)
{
	const struct wire_holder *holder = part;
	int64_t *sum = ctx;

	*sum = 10 * *sum + holder->pid;
}

START_TEST(test_client_gets_parts_and_result)
{
	struct wire_request request = {.type = WIRE_LOCK, .lock = {.now = true}};
	struct wire_result result = {0};
	struct client *client = NULL;
	int fd = listen_there();
	int64_t sum = 0;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, serve, &fd), 0);
	ck_assert_ok(client_connect(socket_path, &client));
	ck_assert_ok(client_call(client, &request, add_pid, &sum, &result));
	ck_assert_int_eq(sum, 12);
	ck_assert_int_eq(result.error, ERR_BUSY);
	ck_assert_str_eq(result.message, "2 files are being written");
	pthread_join(thread, NULL);
	ck_assert_int_eq(client_call(client, &request, NULL, NULL, &result), ERR_NOT_RUNNING);
	client_close(client);
	close(fd);
	ck_assert_int_eq(client_connect(socket_path, &client), ERR_NOT_RUNNING);
	ck_assert_int_eq(unlink(socket_path), 0);
	ck_assert_int_eq(client_connect(socket_path, &client), ERR_NOT_RUNNING);
}
END_TEST

UNIT_MAIN("wire", test_request_round_trip, test_every_byte_of_a_path_survives,
	  test_longest_path_fits_a_frame, test_malformed_requests_are_refused,
	  test_truncated_and_flipped_messages, test_parts_are_those_of_their_request,
	  test_json_for_scripts_has_every_field, test_secret_travels_beside_the_json,
	  test_bad_frames_are_refused_before_memory_is_taken, test_client_gets_parts_and_result)
