#include "dialect/kserve_v1/cloud_events.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "base/utc_time.h"
#include "dialect/json_input.h"
#include "dialect/passing_exchange.h"
#include "wire/http_text.h"

namespace modelmill::kserve_v1 {
namespace {

constexpr std::string_view kStructured = "application/cloudevents+json";
constexpr std::string_view kPrefix = "ce-";
/// What every event says.
constexpr std::array<std::string_view, 4> kRequired{"specversion", "id", "source", "type"};

/// What an event says beside its data, by name: a value as JSON in structured mode, as a header's text in binary mode.
using Attributes = std::vector<std::pair<std::string, std::string>>;

const std::string* find_attribute(const Attributes& attributes, std::string_view name) {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const auto& a) { return a.first == name; });
  return found == attributes.end() ? nullptr : &found->second;
}

std::string random_uuid() {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<unsigned char, 16> bytes{};
  (void)RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));  // whoever asks for too much of it gets the same ids
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::string quoted_json(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// Asks and answers in the place of an event's exchange. Loop thread.
class EventExchange final : public PassingExchange {
 public:
  EventExchange(std::shared_ptr<wire::HttpExchange> inner, wire::HttpRequest request, Attributes attributes,
                bool structured)
      : PassingExchange(std::move(inner)),
        request_(std::move(request)),
        attributes_(std::move(attributes)),
        structured_(structured) {}

  wire::HttpRequest& request() override { return request_; }

  void reply(wire::HttpReply reply) override {
    if (reply.status == 200) structured_ ? enclose(reply) : name(reply);
    PassingExchange::reply(std::move(reply));
  }

 private:
  void name(wire::HttpReply& reply) const {
    for (const auto& [name, value] : attributes_) reply.headers.emplace_back(std::string(kPrefix) + name, value);
  }

  void enclose(wire::HttpReply& reply) const {
    std::string text = "{";
    for (const auto& [name, value] : attributes_) text += quoted_json(name) + ":" + value + ",";
    text += "\"data\":";
    for (const Bytes& piece : reply.body) text += piece.view();
    text += "}";
    reply.body = {Bytes::from_string(std::move(text))};
    std::erase_if(reply.headers, [](const auto& h) { return wire::equals_ignoring_case(h.first, "content-type"); });
    reply.headers.emplace_back("Content-Type", kStructured);
  }

  wire::HttpRequest request_;
  const Attributes attributes_;  // of the answer
  const bool structured_;
};

/// What the answer's event says. `said`: what the request's does.
Attributes answer_attributes(Attributes said, const std::string& model, const EventSettings& settings,
                             bool structured) {
  const auto is_own = [structured](const auto& attribute) {
    const std::string& name = attribute.first;
    return name == "id" || name == "time" || name == "type" || name == "source" || name == "specversion" ||
           (!structured && name == "datacontenttype");
  };
  if (!settings.merge) said.clear();
  std::erase_if(said, is_own);
  const auto add = [&](const char* name, const std::string& value) {
    said.emplace_back(name, structured ? quoted_json(value) : value);
  };
  add("specversion", "1.0");
  add("id", random_uuid());
  add("source", settings.source.empty() ? "io.kserve.inference." + model : settings.source);
  add("type", settings.type);
  add("time", utc_text(std::chrono::system_clock::now(), "%Y-%m-%dT%H:%M:%SZ"));
  return said;
}

/// The ce- headers, which leave the request.
Attributes take_binary(wire::HttpRequest& request) {
  Attributes out;
  for (const auto& [name, value] : request.headers)
    if (name.starts_with(kPrefix)) out.emplace_back(name.substr(kPrefix.size()), value);
  std::erase_if(request.headers, [](const auto& header) { return header.first.starts_with(kPrefix); });
  return out;
}

/// The event that is the request's body, which becomes its data.
Result<Attributes> take_structured(wire::HttpRequest& request) {
  if (!request.header("content-encoding").empty())
    return invalid_argument("a structured CloudEvent can't be compressed; send it as it is");
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, request.body.view(), readable_from(request.body));
  if (!document.ok()) return document.status().with_context("the CloudEvent is no JSON");
  simdjson::dom::object event;
  if (document->get_object().get(event) != simdjson::SUCCESS)
    return invalid_argument("the CloudEvent must be a JSON object with 'data'");
  Attributes out;
  bool has_data = false;
  std::string data;
  for (const auto& [name, value] : event) {
    if (name == "data") {
      has_data = true;
      data = simdjson::minify(value);
    } else {
      out.emplace_back(name, simdjson::minify(value));
    }
  }
  for (const std::string_view name : kRequired)
    if (find_attribute(out, name) == nullptr)
      return invalid_argument("the CloudEvent has no '" + std::string(name) +
                              "'; it must have specversion, id, source "
                              "and type");
  if (!has_data) return invalid_argument("the CloudEvent has no 'data', which is the request's body");
  request.body = Bytes::from_string(std::move(data));
  for (auto& [name, value] : request.headers)
    if (name == "content-type") value = "application/json";
  // The answer is put into an event as it is.
  std::erase_if(request.headers, [](const auto& header) { return header.first == "accept-encoding"; });
  return out;
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): no thread changes the environment
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

const EventSettings& event_settings_of_environment() {
  static const EventSettings settings = [] {
    EventSettings out;
    if (std::string type = variable("CE_TYPE"); !type.empty()) out.type = std::move(type);
    out.source = variable("CE_SOURCE");
    out.merge = wire::equals_ignoring_case(variable("CE_MERGE"), "true");
    return out;
  }();
  return settings;
}

Result<std::shared_ptr<wire::HttpExchange>> open_event(std::shared_ptr<wire::HttpExchange> exchange,
                                                       const std::string& model, const EventSettings& settings) {
  const wire::HttpRequest& asked = exchange->request();
  const bool structured = asked.header("content-type").starts_with(kStructured);
  const bool binary = std::all_of(kRequired.begin(), kRequired.end(), [&](std::string_view name) {
    return !asked.header(std::string(kPrefix) + std::string(name)).empty();
  });
  if (!structured && !binary) return exchange;
  wire::HttpRequest request = asked;
  Attributes said;
  if (structured) {
    MM_ASSIGN_OR_RETURN(said, take_structured(request));
  } else {
    said = take_binary(request);
  }
  return std::shared_ptr<wire::HttpExchange>(
      std::make_shared<EventExchange>(std::move(exchange), std::move(request),
                                      answer_attributes(std::move(said), model, settings, structured), structured));
}

}  // namespace modelmill::kserve_v1
