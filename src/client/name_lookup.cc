#include "client/name_lookup.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// How soon a look-up sees that it was cancelled.
constexpr std::chrono::milliseconds kLookInterval(50);

/// What the thread and who waits for it share.
struct Answer {
  Mutex mutex;
  CondVar given;
  bool is_there MM_GUARDED_BY(mutex) = false;
  error_code error MM_GUARDED_BY(mutex);
  Addresses addresses MM_GUARDED_BY(mutex);
};

void give(Answer& answer, const Resolve& resolve, const std::string& host, const std::string& port) {
  error_code error;
  Addresses addresses;
  try {
    addresses = resolve(host, port, error);
  } catch (const std::exception&) {
    error = asio::error::no_memory;
  }
  const MutexLock lock(answer.mutex);
  answer.error = error;
  answer.addresses = std::move(addresses);
  answer.is_there = true;
  answer.given.notify_all();
}

}  // namespace

Addresses ask_system(const std::string& host, const std::string& port, error_code& error) {
  asio::io_context context;
  return tcp::resolver(context).resolve(host, port, error);
}

Addresses look_up(const std::string& host, uint16_t port, const std::atomic<bool>* cancelled, error_code& error,
                  const Resolve& resolve) {
  const std::string port_text = std::to_string(port);
  const asio::ip::address address = asio::ip::make_address(host, error);
  if (!error) return Addresses::create(tcp::endpoint(address, port), host, port_text);
  error.clear();
  if (cancelled == nullptr) return resolve(host, port_text, error);
  const auto answer = std::make_shared<Answer>();
  std::thread([answer, resolve, host, port_text] { give(*answer, resolve, host, port_text); }).detach();
  const MutexLock lock(answer->mutex);
  while (!answer->is_there) {
    if (*cancelled) {
      error = asio::error::operation_aborted;
      return {};
    }
    answer->given.wait_until(answer->mutex, Clock::now() + kLookInterval);
  }
  error = answer->error;
  return answer->addresses;
}

}  // namespace modelmill
