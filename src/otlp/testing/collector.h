#pragma once

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "otlp/export_options.h"
#include "otlp_trace.pb.h"

namespace modelmill::testing {

inline std::string answer(int status, const std::string& more = "") {
  return "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n" + more + "\r\n";
}

/// A collector that gives each POST its next answer, the last one for ever; an empty one is silence until the client
/// leaves.
class Collector {
 public:
  explicit Collector(std::vector<std::string> answers)
      : answers_(std::move(answers)),
        acceptor_(context_, boost::asio::ip::tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)) {
    thread_ = std::thread([this] { serve(); });
  }
  ~Collector() {
    over_ = true;
    boost::system::error_code error;
    boost::asio::ip::tcp::socket last(context_);
    last.connect(acceptor_.local_endpoint(), error);  // ends accept()
    thread_.join();
  }

  ExportOptions options() const {
    ExportOptions options;
    options.server = {"127.0.0.1", acceptor_.local_endpoint().port(), ""};
    options.delay = std::chrono::milliseconds(1);
    options.first_pause = std::chrono::milliseconds(1);
    return options;
  }
  /// Numbers of spans by POST, in the order they came.
  std::vector<int> posts() {
    const MutexLock lock(mutex_);
    return posts_;
  }
  std::vector<otlp::Span> spans() {
    const MutexLock lock(mutex_);
    return spans_;
  }
  /// Of the last POST.
  std::string head() {
    const MutexLock lock(mutex_);
    return head_;
  }

 private:
  void serve() {
    while (!over_) {
      boost::asio::ip::tcp::socket socket = acceptor_.accept();
      std::string data;
      while (!over_ && post(socket, data)) {
      }
    }
  }
  bool post(boost::asio::ip::tcp::socket& socket, std::string& data) {
    boost::system::error_code error;
    const size_t head = boost::asio::read_until(socket, boost::asio::dynamic_buffer(data), "\r\n\r\n", error);
    if (error) return false;
    const std::string text = data.substr(0, head);
    const size_t length = std::stoul(text.substr(text.find("Content-Length: ") + 16));
    if (data.size() < head + length)
      boost::asio::read(socket, boost::asio::dynamic_buffer(data),
                        boost::asio::transfer_exactly(head + length - data.size()), error);
    otlp::ExportTraceServiceRequest request;
    if (!request.ParseFromArray(data.data() + head, static_cast<int>(length))) return false;
    data.erase(0, head + length);
    std::string next;
    {
      const MutexLock lock(mutex_);
      head_ = text;
      for (const otlp::Span& span : request.resource_spans(0).scope_spans(0).spans()) spans_.push_back(span);
      posts_.push_back(request.resource_spans(0).scope_spans(0).spans_size());
      next = answers_[std::min(posts_.size(), answers_.size()) - 1];
    }
    if (next.empty()) {
      char byte;
      socket.read_some(boost::asio::buffer(&byte, 1), error);  // until it leaves
      return false;
    }
    boost::asio::write(socket, boost::asio::buffer(next), error);
    return !error;
  }

  std::vector<std::string> answers_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> over_{false};
  Mutex mutex_;
  std::vector<int> posts_ MM_GUARDED_BY(mutex_);
  std::vector<otlp::Span> spans_ MM_GUARDED_BY(mutex_);
  std::string head_ MM_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace modelmill::testing
