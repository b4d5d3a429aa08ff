#include "dialect/kserve_v2/trace_settings_codec.h"

#include <simdjson.h>

#include <charconv>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json_text.h"
#include "base/percent_text.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/http_answers.h"
#include "dialect/method_check.h"
#include "dialect/unary_proto.h"
#include "grpc_service.pb.h"

namespace modelmill::kserve_v2 {
namespace {

namespace dom = simdjson::dom;
using inference::TraceSettingRequest;
using inference::TraceSettingResponse;

/// The texts of one setting as either protocol has them; none: the setting is cleared.
using Texts = std::vector<std::string>;

Status no_tracing() { return unavailable("the server does not support trace"); }

Status set_level(const Texts& texts, TraceChangeOf<uint8_t>& change) {
  if (texts.empty()) {
    change.clear();
    return ok_status();
  }
  uint8_t level = kTraceOff;
  for (const std::string& text : texts) {
    if (text == "TIMESTAMPS") {
      level |= kTraceTimestamps;
    } else if (text == "TENSORS") {
      level |= kTraceTensors;
    } else if (text != "OFF") {
      return invalid_argument("Unable to parse 'trace_level', got: " + text +
                              "; known are OFF, TIMESTAMPS and TENSORS");
    } else if (texts.size() != 1) {
      return invalid_argument("Expect only one trace level 'OFF' is specified");
    }
  }
  change.set(level);
  return ok_status();
}

template <typename T>
Status set_number(const std::string& name, const Texts& texts, int64_t least, TraceChangeOf<T>& change) {
  if (texts.empty()) {
    change.clear();
    return ok_status();
  }
  if (texts.size() != 1) return invalid_argument("expect only 1 value for '" + name + "'");
  const std::string& text = texts[0];
  const int64_t most = std::numeric_limits<T>::max();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool beyond = number > most || (least == 0 && number < 0);
  if (error == std::errc::result_out_of_range || (error == std::errc() && beyond))
    return invalid_argument("Unable to parse '" + name + "', value is out of range [ " + std::to_string(least) + ", " +
                            std::to_string(most) + " ], got: " + text);
  if (error != std::errc() || end != text.data() + text.size())
    return invalid_argument("Unable to parse '" + name + "', got: " + text);
  if (number < least)
    return invalid_argument("Unable to parse '" + name + "'. Expecting value >= " + std::to_string(least) +
                            ", got: " + text);
  change.set(static_cast<T>(number));
  return ok_status();
}

/// A name that is none of the settings is passed over, as by Triton.
Status set(const std::string& name, const Texts& texts, TraceChange& change) {
  if (name == "trace_file") return unimplemented("trace file location can not be updated through network protocol");
  if (name == "trace_level") return set_level(texts, change.level);
  if (name == "trace_rate") return set_number(name, texts, 0, change.rate);
  if (name == "trace_count") return set_number(name, texts, -1, change.count);
  if (name == "log_frequency") return set_number(name, texts, 0, change.log_frequency);
  return ok_status();
}

Result<Texts> texts_of(std::string_view name, dom::element value) {
  Texts texts;
  if (value.is_null()) return texts;
  dom::array items;
  std::string_view text;
  if (name != "trace_level") {
    if (value.get_string().get(text) == simdjson::SUCCESS) return Texts{std::string(text)};
    return invalid_argument("attempt to access JSON non-string as string: '" + std::string(name) +
                            "' is a string, such as \"100\"");
  }
  if (value.get_array().get(items) != simdjson::SUCCESS)
    return invalid_argument("attempt to access JSON non-array as array: 'trace_level' is an array of strings");
  for (const dom::element item : items) {
    if (item.get_string().get(text) != simdjson::SUCCESS)
      return invalid_argument("attempt to access JSON non-string as string: 'trace_level' is an array of strings");
    texts.emplace_back(text);
  }
  if (texts.empty()) texts.emplace_back("OFF");
  return texts;
}

Result<TraceChange> read_json(const Bytes& body) {
  TraceChange change;
  if (body.empty()) return change;
  const ThreadJsonParser parser;
  const auto document = parse_json(*parser, body.view(), readable_from(body));
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  dom::object members;
  if (document->get_object().get(members) != simdjson::SUCCESS)
    return invalid_argument("failed to parse the request JSON buffer: expected an object with trace settings");
  for (const auto& [name, value] : members) {
    MM_ASSIGN_OR_RETURN(const Texts texts, texts_of(name, value));
    MM_RETURN_IF_ERROR(set(std::string(name), texts, change));
  }
  return change;
}

Result<TraceChange> read_message(const TraceSettingRequest& request) {
  TraceChange change;
  for (const auto& [name, setting] : request.settings())
    MM_RETURN_IF_ERROR(set(name, Texts(setting.value().begin(), setting.value().end()), change));
  return change;
}

/// Settings of models that can't be asked are neither told nor changed.
Status check_model(const ModelQueries& queries, const std::string& model) {
  if (model.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const bool ready, queries.model_ready(model, ""));
  return ready ? ok_status() : invalid_argument("Request for unknown model : " + model);
}

Texts level_texts(uint8_t level) {
  Texts texts;
  if ((level & kTraceTimestamps) != 0) texts.emplace_back("TIMESTAMPS");
  if ((level & kTraceTensors) != 0) texts.emplace_back("TENSORS");
  if (texts.empty()) texts.emplace_back("OFF");
  return texts;
}

/// What is told beside the level, by Triton's names: of files, or of spans. Names may come several times.
NamedTexts told_of(const Tracer& tracer, const TraceSettings& settings) {
  NamedTexts told{{"trace_rate", std::to_string(settings.rate)}, {"trace_count", std::to_string(settings.count)}};
  if (!tracer.records_spans()) {
    told.emplace_back("log_frequency", std::to_string(settings.log_frequency));
    told.emplace_back("trace_file", tracer.file());
  }
  told.emplace_back("trace_mode", tracer.records_spans() ? "opentelemetry" : "triton");
  told.insert(told.end(), tracer.told().begin(), tracer.told().end());
  return told;
}

/// JSON has a name once: several values have commas between them.
std::string write_json(const Tracer& tracer, const std::string& model) {
  const TraceSettings settings = tracer.settings(model);
  JsonWriter json;
  json.begin_object().key("trace_level").begin_array();
  for (const std::string& text : level_texts(settings.level)) json.value(text);
  json.end_array();
  const NamedTexts told = told_of(tracer, settings);
  for (size_t i = 0; i < told.size();) {
    const std::string& name = told[i].first;
    std::string value = told[i].second;
    for (++i; i < told.size() && told[i].first == name; ++i) value += "," + told[i].second;
    json.field(name, value);
  }
  json.end_object();
  return json.take();
}

TraceSettingResponse write_message(const Tracer& tracer, const std::string& model) {
  const TraceSettings settings = tracer.settings(model);
  TraceSettingResponse response;
  auto& out = *response.mutable_settings();
  for (const std::string& text : level_texts(settings.level)) out["trace_level"].add_value(text);
  for (const auto& [name, value] : told_of(tracer, settings)) out[name].add_value(value);
  return response;
}

}  // namespace

wire::HttpReply answer_trace_settings(Tracer* tracer, const ModelQueries& queries, const std::string& model,
                                      const wire::HttpRequest& request) {
  if (request.method != "GET" && request.method != "POST") return wrong_method("GET, POST");
  if (tracer == nullptr) return error_reply(no_tracing());
  if (const Status known = check_model(queries, model); !known.ok()) return error_reply(known);
  if (request.method == "POST") {
    const Result<TraceChange> change = read_json(request.body);
    const Status status = change.ok() ? tracer->update(model, *change) : change.status();
    if (!status.ok()) return error_reply(status);
  }
  return json_reply(200, write_json(*tracer, model));
}

void add_trace_settings_method(wire::GrpcMethods& methods, Tracer* tracer,
                               std::shared_ptr<const ModelQueries> queries) {
  add_unary<TraceSettingRequest>(
      methods, wire::ApiGroup::kManagement, method_path("TraceSetting"),
      [tracer, queries = std::move(queries)](const TraceSettingRequest& request) -> Result<TraceSettingResponse> {
        if (tracer == nullptr) return no_tracing();
        const std::string& model = request.model_name();
        MM_RETURN_IF_ERROR(check_model(*queries, model));
        if (request.settings_size() != 0) {
          MM_ASSIGN_OR_RETURN(const TraceChange change, read_message(request));
          MM_RETURN_IF_ERROR(tracer->update(model, change));
        }
        return write_message(*tracer, model);
      });
}

}  // namespace modelmill::kserve_v2
