#include "server/access/client_limits.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace modelmill {
namespace {

Duration interval_of(double rate) {
  if (rate <= 0) return Duration::zero();
  return std::max(Duration(1), std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1 / rate)));
}

int64_t burst_of(const ClientLimits::Options& options) {
  if (options.burst > 0) return options.burst;
  return std::max<int64_t>(1, std::llround(std::ceil(options.rate)));
}

/// A client that was at its limit of requests in flight may try again so much later.
constexpr Duration kInFlightRetry = std::chrono::seconds(1);

}  // namespace

/// One request in flight.
class ClientLimits::Place final : public wire::Ticket {
 public:
  Place(std::shared_ptr<ClientLimits> limits, Shard& shard, Clients::value_type& client)
      : limits_(std::move(limits)), shard_(shard), client_(client) {}
  ~Place() override { limits_->leave(shard_, client_); }

 private:
  const std::shared_ptr<ClientLimits> limits_;
  Shard& shard_;
  Clients::value_type& client_;  // stays where it is while it has a request in flight
};

ClientLimits::ClientLimits(const Options& options, const TimeSource& time)
    : time_(time),
      interval_(interval_of(options.rate)),
      tolerance_(interval_ * (burst_of(options) - 1)),
      most_in_flight_(options.in_flight),
      idle_in_shard_(std::max<size_t>(1, options.idle_clients / kShards)) {}

ClientLimits::Shard& ClientLimits::shard_of(std::string_view client) {
  return shards_[std::hash<std::string_view>()(client) % kShards];
}

ClientLimits::Verdict ClientLimits::admit(const std::string& name) {
  Verdict verdict;
  const TimePoint now = time_.now();
  Shard& shard = shard_of(name);
  MutexLock lock(shard.mutex);
  const auto [found, is_new] = shard.clients.try_emplace(name);
  Client& client = found->second;
  if (!is_new && client.in_flight == 0) shard.idle.erase(client.idle);
  const TimePoint spent_until = std::max(now, client.spent_until);
  if (most_in_flight_ > 0 && client.in_flight >= most_in_flight_) {
    verdict.refusal = Refusal::kInFlight;
    verdict.retry_after = kInFlightRetry;
  } else if (interval_ > Duration::zero() && spent_until - now > tolerance_) {
    verdict.refusal = Refusal::kRate;
    verdict.retry_after = spent_until - now - tolerance_;
  } else {
    client.spent_until = spent_until + interval_;
    if (most_in_flight_ > 0) {
      ++client.in_flight;
      verdict.ticket = std::make_unique<Place>(shared_from_this(), shard, *found);
    }
  }
  if (client.in_flight == 0) client.idle = shard.idle.insert(shard.idle.end(), &found->first);
  trim(shard);
  return verdict;
}

/// Forgets the clients that have been idle longest.
void ClientLimits::trim(Shard& shard) {
  while (shard.idle.size() > idle_in_shard_) {
    const auto oldest = shard.clients.find(*shard.idle.front());
    shard.idle.pop_front();
    shard.clients.erase(oldest);
  }
}

void ClientLimits::leave(Shard& shard, Clients::value_type& client) {
  MutexLock lock(shard.mutex);
  if (--client.second.in_flight > 0) return;
  client.second.idle = shard.idle.insert(shard.idle.end(), &client.first);
  trim(shard);
}

size_t ClientLimits::clients() const {
  size_t total = 0;
  for (Shard& shard : shards_) {
    MutexLock lock(shard.mutex);
    total += shard.clients.size();
  }
  return total;
}

std::string client_of_peer(std::string_view peer) {
  if (!peer.starts_with('[')) return std::string(peer.substr(0, peer.rfind(':')));
  const size_t end = peer.find(']');
  std::string text(peer.substr(1, end == std::string_view::npos ? end : end - 1));
  const std::string address = text.substr(0, text.find('%'));
  in6_addr v6{};
  if (::inet_pton(AF_INET6, address.c_str(), &v6) != 1) return text;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    std::array<char, INET_ADDRSTRLEN> v4{};
    return ::inet_ntop(AF_INET, &v6.s6_addr[12], v4.data(), v4.size());
  }
  std::fill(std::begin(v6.s6_addr) + 8, std::end(v6.s6_addr), uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> network{};
  return std::string(::inet_ntop(AF_INET6, &v6, network.data(), network.size())) + "/64";
}

}  // namespace modelmill
