#pragma once

#include <list>
#include <memory>
#include <string>

#include "wire/endpoint.h"
#include "wire/loop.h"
#include "wire/out_queue.h"
#include "wire/progress.h"
#include "wire/server_core.h"
#include "wire/session.h"
#include "wire/standstill.h"
#include "wire/transport.h"

namespace modelmill::wire {

/// One client's connection: moves bytes between a transport and the session that its first bytes call for. Lives on one
/// loop from beginning to end; all members are for that loop's thread. Kept by the server's set until it is closed, and
/// by operations under way.
class Connection final : public std::enable_shared_from_this<Connection>, public Transport::User, public Flushable {
 public:
  Connection(std::shared_ptr<ServerCore> core, Loop& loop, std::unique_ptr<Transport> transport, std::string peer,
             Services serves);
  ~Connection() override;

  void start();
  /// Finish what is in flight and close.
  void drain();
  /// Close now.
  void cut();
  /// A look from time to time: closes what is idle, slow or stalled.
  void look(TimePoint now);

  // For the session.
  Loop& loop() { return loop_; }
  ServerCore& core() { return *core_; }
  const std::string& peer() const { return *peer_; }
  bool is_tls() const { return transport_->is_tls(); }
  Services serves() const { return serves_; }
  /// For what may outlive the connection.
  const std::shared_ptr<const std::string>& shared_peer() const { return peer_; }
  LoopCounters& counters() { return counters_; }
  OutQueue& out() { return out_; }
  /// There is something to send (or the session has finished): look at the end of this turn.
  void want_flush();
  /// wants_to_read() has become true.
  void resume_reading();

  void on_read(IoResult result) override;
  void on_writable() override;
  void flush() override;

 private:
  void arm_read();
  void take(std::span<const std::byte> bytes);
  void choose_session(std::span<const std::byte> bytes);
  bool read_more();
  bool write_out();
  void end_gracefully();
  void close();

  friend class ConnectionSet;

  std::shared_ptr<ServerCore> core_;
  Loop& loop_;
  std::list<std::shared_ptr<Connection>>::iterator place_;  // in the loop's set, until it is closed
  LoopCounters& counters_;
  std::unique_ptr<Transport> transport_;
  const std::shared_ptr<const std::string> peer_;
  const Services serves_;
  std::unique_ptr<Session> session_;
  std::string first_bytes_;  // until they have told the protocol
  OutQueue out_;
  MemoryRef buffer_;  // what small reads go to
  std::unique_ptr<Loop::Timer> linger_timer_;
  size_t target_size_ = 0;  // of the session's memory that the pending read goes to; 0: it goes to buffer_
  size_t thrown_away_ = 0;
  uint64_t written_ = 0;
  Progress writing_;      // of a peer that should read
  Standstill beginning_;  // of a peer that has not yet said what it speaks
  CloseReason close_reason_ = CloseReason::kServer;
  bool reading_ = false;
  bool write_blocked_ = false;
  bool flush_asked_ = false;
  bool peer_closed_ = false;
  bool lingering_ = false;
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace modelmill::wire
