#pragma once

#include <deque>
#include <memory>
#include <string>

#include "wire/body_buffer.h"
#include "wire/http1_parser.h"
#include "wire/progress.h"
#include "wire/session.h"
#include "wire/standstill.h"

namespace modelmill::wire {

class Connection;
class Http1Exchange;

/// HTTP/1.0 and 1.1: keep-alive, pipelining (several requests in work, replies in order), chunked coding both ways,
/// Expect: 100-continue.
class Http1Session final : public Session {
 public:
  explicit Http1Session(Connection& connection);
  ~Http1Session() override;

  void receive(std::span<const std::byte> bytes) override;
  std::span<std::byte> read_target() override;
  void received_into_target(size_t n) override;
  bool wants_to_read() const override;
  void produce(OutQueue& out) override;
  bool finished() const override { return closing_ && exchanges_.empty(); }
  bool lingers() const override { return !idle_close_; }
  void look(TimePoint now) override;
  void drain() override;
  void peer_gone() override;

  // For the exchanges.
  Connection& connection() { return connection_; }
  bool is_next(const Http1Exchange& exchange) const { return exchanges_.front().get() == &exchange; }
  /// The front exchange's reply is complete; `close`: and its end is the connection's.
  void front_done(bool close);
  /// Whether a reply begun now must say that the connection closes after it.
  bool closes_after(const Http1Exchange& exchange) const;

 private:
  enum class Stage { kHead, kFixedBody, kChunkedBody, kUnwantedBody };

  bool may_begin_request() const;
  size_t parse(std::string_view bytes);
  void parse_all(std::string_view bytes, size_t& used);
  bool begin_body();
  bool refuse(HttpReply reply);
  void request_complete();
  void fail(int status, std::string_view message);
  void time_out(std::string_view limit);
  void close_idle();
  void end_without_answer();
  void add_exchange();
  void unstall();

  Connection& connection_;
  Http1Parser parser_;
  Stage stage_ = Stage::kHead;
  std::shared_ptr<Http1Exchange> incoming_;  // being received
  BodyBuffer body_;
  size_t body_left_ = 0;
  std::string unparsed_;  // an incomplete head, or what follows when there is work enough
  std::deque<std::shared_ptr<Http1Exchange>> exchanges_;  // in work, in the order of their requests
  size_t bytes_in_work_ = 0;                              // of their bodies
  bool continue_due_ = false;                             // "100 Continue" goes out once the replies before it have
  bool draining_ = false;                                 // the request being received is the last
  bool closing_ = false;                                  // no further request is taken
  bool idle_close_ = false;                               // closed between requests: the peer has nothing under way
  bool in_parse_ = false;
  uint64_t requests_ = 0;  // begun so far
  uint64_t received_ = 0;
  Progress body_progress_;
  Standstill still_;
  BodyBuffer timed_out_;  // a read may be under way into it
};

std::unique_ptr<Session> make_http1_session(Connection& connection);

}  // namespace modelmill::wire
