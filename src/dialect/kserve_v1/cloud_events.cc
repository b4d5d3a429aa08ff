#include "dialect/kserve_v1/cloud_events.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "base/utc_time.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/large_work.h"
#include "dialect/passing_exchange.h"
#include "wire/grpc_encoding.h"
#include "wire/http_text.h"

namespace modelmill::kserve_v1 {
namespace {

constexpr std::string_view kStructured = "application/cloudevents+json";
constexpr std::string_view kPrefix = "ce-";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kJsonSuffix = "+json";
constexpr std::string_view kText = "text/";
constexpr std::string_view kDataType = "datacontenttype";
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
  (void)RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));  // without it ids are alike, which harms nobody
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

std::string_view content_type(const wire::HttpReply& reply) {
  for (const auto& [name, value] : reply.headers)
    if (wire::equals_ignoring_case(name, "content-type")) return value;
  return kJson;
}

/// application/json and all that are written in it.
bool is_json_type(std::string_view type) {
  type = type.substr(0, type.find_first_of("; "));
  return wire::equals_ignoring_case(type, kJson) || wire::equals_ignoring_case(type, "text/json") ||
         (type.size() > kJsonSuffix.size() &&
          wire::equals_ignoring_case(type.substr(type.size() - kJsonSuffix.size()), kJsonSuffix));
}

size_t bytes_in(const Chunks& body) {
  size_t bytes = 0;
  for (const Bytes& piece : body) bytes += piece.size();
  return bytes;
}

/// Asks and answers in the place of an event's exchange. Loop thread, but for enclose().
class EventExchange final : public PassingExchange, public std::enable_shared_from_this<EventExchange> {
 public:
  EventExchange(std::shared_ptr<wire::HttpExchange> inner, wire::HttpRequest request, Attributes attributes,
                bool structured, Offload* offload)
      : PassingExchange(std::move(inner)),
        request_(std::move(request)),
        attributes_(std::move(attributes)),
        structured_(structured),
        offload_(offload) {}

  wire::HttpRequest& request() override { return request_; }

  void reply(wire::HttpReply reply) override {
    if (reply.status == 200 && structured_) {
      if (enclosed_elsewhere(reply)) return;
      enclose(reply);
    } else if (reply.status == 200) {
      name(reply);
    }
    PassingExchange::reply(std::move(reply));
  }

 private:
  void name(wire::HttpReply& reply) const {
    for (const auto& [name, value] : attributes_) reply.headers.emplace_back(std::string(kPrefix) + name, value);
  }

  /// True: what is large and has to be rewritten is, by the offload, and sent then.
  bool enclosed_elsewhere(wire::HttpReply& reply) {
    if (offload_ == nullptr || bytes_in(reply.body) <= kLoopBytes || is_json_type(content_type(reply))) return false;
    const auto held = std::make_shared<wire::HttpReply>(std::move(reply));
    const bool taken = offload_->run([self = shared_from_this(), held] {
      self->enclose(*held);
      self->loop().post([self, held] { self->PassingExchange::reply(std::move(*held)); });
    });
    if (!taken) reply = std::move(*held);
    return taken;
  }

  /// Any thread.
  void enclose(wire::HttpReply& reply) const {
    try {
      const std::string type(content_type(reply));
      reply.body = is_json_type(type) ? around_json(std::move(reply.body)) : around_others(type, reply.body);
      std::erase_if(reply.headers, [](const auto& h) { return wire::equals_ignoring_case(h.first, "content-type"); });
      reply.headers.emplace_back("Content-Type", kStructured);
    } catch (const std::bad_alloc&) {
      reply = error_reply(resource_exhausted("no memory to put an answer of that size into a CloudEvent"));
    }
  }

  Chunks around_json(Chunks json) const {
    Chunks out;
    out.push_back(Bytes::from_string(beginning({}) + (bytes_in(json) == 0 ? "\"data\":null" : "\"data\":")));
    for (Bytes& piece : json) out.push_back(std::move(piece));
    out.push_back(Bytes::from_string("}"));
    return out;
  }

  Chunks around_others(const std::string& type, const Chunks& body) const {
    std::string said;
    said.reserve(bytes_in(body));
    for (const Bytes& piece : body) said += piece.view();
    std::string text = beginning(type);
    if (wire::equals_ignoring_case(std::string_view(type).substr(0, kText.size()), kText) &&
        simdjson::validate_utf8(said)) {
      text += "\"data\":";
      append_json_string(text, said);
    } else {
      const std::string packed = wire::base64_encode(said);
      text.append("\"data_base64\":\"").append(packed).append((4 - packed.size() % 4) % 4, '=').append("\"");
    }
    text += "}";
    Chunks out;
    out.push_back(Bytes::from_string(std::move(text)));
    return out;
  }

  /// What stands before the data. `type`: the data's, where it is no JSON.
  std::string beginning(const std::string& type) const {
    std::string text = "{";
    for (const auto& [name, value] : attributes_)
      if (type.empty() || name != kDataType) text += quoted_json(name) + ":" + value + ",";
    if (!type.empty()) text += quoted_json(kDataType) + ":" + quoted_json(type) + ",";
    return text;
  }

  wire::HttpRequest request_;
  const Attributes attributes_;  // of the answer
  const bool structured_;
  Offload* const offload_;  // null: all is done here
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

/// What an event has as its data, for a body of `type`.
Result<std::string> read_data(const simdjson::dom::object& event, std::string& type) {
  simdjson::dom::element data, packed;
  const bool is_plain = event["data"].get(data) == simdjson::SUCCESS;
  const bool is_packed = event["data_base64"].get(packed) == simdjson::SUCCESS;
  if (is_plain && is_packed)
    return invalid_argument("the CloudEvent has both 'data' and 'data_base64'; the request's body is one of them");
  type = kJson;
  if (is_plain) return std::string(simdjson::minify(data));
  if (!is_packed)
    return invalid_argument("the CloudEvent has no 'data' and no 'data_base64'; one of them is the request's body");
  std::string_view text, named;
  std::optional<std::string> bytes;
  if (packed.get_string().get(text) == simdjson::SUCCESS) bytes = wire::base64_decode(text);
  if (!bytes) return invalid_argument("the CloudEvent's 'data_base64' must be a string of base64");
  type = event[kDataType].get_string().get(named) == simdjson::SUCCESS ? wire::safe_header_value(named)
                                                                       : "application/octet-stream";
  return *std::move(bytes);
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
  for (const auto& [name, value] : event)
    if (name != "data" && name != "data_base64") out.emplace_back(name, simdjson::minify(value));
  for (const std::string_view name : kRequired)
    if (find_attribute(out, name) == nullptr)
      return invalid_argument("the CloudEvent has no '" + std::string(name) +
                              "'; it must have specversion, id, source "
                              "and type");
  std::string type;
  MM_ASSIGN_OR_RETURN(std::string data, read_data(event, type));
  request.body = Bytes::from_string(std::move(data));
  for (auto& [name, value] : request.headers)
    if (name == "content-type") value = type;
  // The answer is put into an event as it is.
  std::erase_if(request.headers, [](const auto& header) { return header.first == "accept-encoding"; });
  return out;
}

bool is_structured(const wire::HttpRequest& request) { return request.header("content-type").starts_with(kStructured); }

bool is_binary(const wire::HttpRequest& request) {
  return std::all_of(kRequired.begin(), kRequired.end(), [&](std::string_view name) {
    return !request.header(std::string(kPrefix) + std::string(name)).empty();
  });
}

/// The exchange of an event. Any thread, while no other one has it.
Result<std::shared_ptr<wire::HttpExchange>> opened(const std::shared_ptr<wire::HttpExchange>& exchange,
                                                   const std::string& model, Offload* offload,
                                                   const EventSettings& settings) {
  std::shared_ptr<wire::HttpExchange> out;
  const Status status = within_memory([&]() -> Status {
    const bool structured = is_structured(exchange->request());
    wire::HttpRequest request = exchange->request();
    Attributes said;
    if (structured) {
      MM_ASSIGN_OR_RETURN(said, take_structured(request));
    } else {
      said = take_binary(request);
    }
    out = std::make_shared<EventExchange>(exchange, std::move(request),
                                          answer_attributes(std::move(said), model, settings, structured), structured,
                                          offload);
    return ok_status();
  });
  if (!status.ok()) return status;
  return out;
}

}  // namespace

bool is_event(const wire::HttpRequest& request) { return is_structured(request) || is_binary(request); }

void open_event(std::shared_ptr<wire::HttpExchange> exchange, const std::string& model, Offload* offload,
                OpenedEvent then, const EventSettings& settings) {
  const wire::HttpRequest& request = exchange->request();
  if (!is_event(request)) return then(std::move(exchange));
  if (!is_structured(request) || request.body.size() <= kLoopBytes || offload == nullptr)
    return then(opened(exchange, model, offload, settings));
  const auto gone = std::make_shared<bool>(false);  // the loop's
  exchange->on_abandoned([gone] { *gone = true; });
  const Status status = run_large(*offload, [exchange, model, offload, then, settings, gone] {
    exchange->loop().post([then, gone, event = opened(exchange, model, offload, settings)] {
      if (!*gone) then(event);
    });
  });
  if (!status.ok()) then(status);
}

}  // namespace modelmill::kserve_v1
