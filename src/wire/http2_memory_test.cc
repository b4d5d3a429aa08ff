#include "wire/http2_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wire/http2_stream.h"
#include "wire/testing/http2_client.h"

namespace modelmill::wire {
namespace {

const Http2Client::Headers kGet = {{":method", "GET"}, {":scheme", "http"}, {":authority", "t"}, {":path", "/x"}};

/// A head that takes four frames, told apart by `mark`.
std::string large_value(int mark) {
  std::string value;
  while (value.size() < 50'000) value += "<" + std::to_string(mark) + "~{}^>";
  return value;
}

/// Sessions of one loop share a frame buffer, and stop where the socket takes no more: also between a head's frames.
TEST(Http2Memory, HeadsOfSeveralFramesOnManyConnections) {
  constexpr int kClients = 3;
  constexpr int kRequests = 150;
  int next = 0;
  TestServer server([&](const std::shared_ptr<HttpExchange>& exchange) {
    HttpReply reply = HttpReply::text(200, "text/plain", std::to_string(next));
    reply.headers.emplace_back("large", large_value(next++));
    exchange->reply(std::move(reply));
  });
  server.start();
  std::vector<std::unique_ptr<Http2Client>> clients;
  for (int i = 0; i < kClients; ++i) clients.push_back(std::make_unique<Http2Client>(server.port()));
  std::vector<std::vector<int32_t>> ids(kClients);
  for (int request = 0; request < kRequests; ++request)
    for (int i = 0; i < kClients; ++i) ids[i].push_back(clients[i]->request(kGet, true));
  for (int request = 0; request < kRequests; ++request)
    for (int i = 0; i < kClients; ++i) {
      const Http2Client::Stream& stream = clients[i]->wait(ids[i][request]);
      ASSERT_TRUE(stream.ended && stream.error == 0);
      ASSERT_EQ(stream.headers.at("large"), large_value(std::stoi(stream.body)));
    }
}

/// A client's session and a server's, which answers when it is told to, and the way between them.
class Pair {
 public:
  Pair() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session* session, const nghttp2_frame* frame, void* user) {
          if (frame->hd.type != NGHTTP2_HEADERS) return 0;
          auto& pair = *static_cast<Pair*>(user);
          if (session == pair.server_) pair.asked_.push_back(frame->hd.stream_id);
          if (session == pair.client_) ++pair.answers_;
          return 0;
        });
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_closed_streams(option, 1);
    server_ = memory_.make_session(callbacks, this, option);
    nghttp2_session_client_new(&client_, callbacks, this);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(client_, NGHTTP2_FLAG_NONE, nullptr, 0);
    nghttp2_submit_settings(server_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Pair() {
    nghttp2_session_del(client_);
    nghttp2_session_del(server_);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void ask(int count) {
    const nghttp2_nv head[] = {static_field(":method", "GET"), static_field(":scheme", "http"),
                               static_field(":authority", "t"), static_field(":path", "/x")};
    for (int i = 0; i < count; ++i) nghttp2_submit_request(client_, nullptr, head, std::size(head), nullptr, nullptr);
    carry();
  }
  void answer() {
    const nghttp2_nv head[] = {static_field(":status", "200")};
    for (const int32_t id : std::exchange(asked_, {}))
      nghttp2_submit_response(server_, id, head, std::size(head), nullptr);
    carry();
  }
  void rest() { memory_.rest(); }
  int answers() const { return answers_; }

 private:
  void carry() {
    while (carry(client_, server_) || carry(server_, client_)) {
    }
  }
  static bool carry(nghttp2_session* from, nghttp2_session* to) {
    const uint8_t* bytes = nullptr;
    const ssize_t n = nghttp2_session_mem_send(from, &bytes);
    if (n <= 0) return false;
    return nghttp2_session_mem_recv(to, bytes, static_cast<size_t>(n)) == n;
  }

  Http2Memory memory_;
  nghttp2_session* server_ = nullptr;
  nghttp2_session* client_ = nullptr;
  std::vector<int32_t> asked_;
  int answers_ = 0;
};

/// Sessions that are used, put to rest at any time, and used again; one has more streams than its first table holds.
TEST(Http2Memory, RestsBetweenRequestsAndAmongThem) {
  std::vector<std::unique_ptr<Pair>> pairs;
  std::vector<int> wanted;
  for (int round = 0; round < 6; ++round) {
    pairs.push_back(std::make_unique<Pair>());
    wanted.push_back(0);
    for (size_t i = 0; i < pairs.size(); ++i) {
      const int count = i == 2 && round == 4 ? 90 : round;
      for (int burst = 0; burst < (i == 2 && round == 4 ? 10 : 1); ++burst) {
        pairs[i]->ask(count);
        pairs[i]->rest();
        wanted[i] += count;
      }
    }
    for (size_t i = 0; i < pairs.size(); ++i) {
      pairs[i]->answer();
      pairs[i]->rest();
      EXPECT_EQ(pairs[i]->answers(), wanted[i]) << "pair " << i << " in round " << round;
    }
    if (round == 3) {
      pairs.erase(pairs.begin());
      wanted.erase(wanted.begin());
    }
  }
}

}  // namespace
}  // namespace modelmill::wire
