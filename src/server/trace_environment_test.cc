#include "server/trace_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

namespace modelmill {
namespace {

using Caller = SpanSampling::Caller;
using Values = std::map<std::string, std::string>;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

Status take(const Values& values, TraceConfig& config, bool may_begin = true) {
  return apply_trace_environment(
      [&](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        if (found == values.end()) return std::nullopt;
        return found->second;
      },
      may_begin, config);
}
TraceConfig applied(const Values& values, TraceConfig config = {}) {
  const Status status = take(values, config);
  EXPECT_TRUE(status.ok()) << status.message();
  return config;
}
TraceConfig asked_for() {
  TraceConfig config;
  EXPECT_TRUE(trace_to_collector("http://mine:1", config).ok());
  return config;
}
/// Of who asked for traces, but not for a collector.
std::string refusal(const Values& values) {
  TraceConfig config;
  config.opentelemetry = true;
  return take(values, config).message();
}
std::string service(const TraceConfig& config) {
  std::string name;
  for (const auto& [key, value] : config.collector.resource)
    if (key == "service.name") name = value;
  return name;
}

TEST(TraceEnvironment, SaysNothingWithoutACollector) {
  const TraceConfig config = applied({{"OTEL_TRACES_SAMPLER", "always_on"}, {"OTEL_SERVICE_NAME", "x"}});
  EXPECT_FALSE(config.opentelemetry);
  EXPECT_EQ(config.settings, TraceSettings());
}

TEST(TraceEnvironment, ACollectorBeginsIt) {
  const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/base/"}});
  EXPECT_TRUE(config.opentelemetry);
  EXPECT_EQ(config.collector.server.text(), "http://c:4318");
  EXPECT_EQ(config.collector.path, "/base/v1/traces");
  EXPECT_EQ(config.settings, (TraceSettings{kTraceTimestamps, 1, -1, 0}));
  EXPECT_EQ(config.sampling.caller, Caller::kFollowed);
  EXPECT_EQ(config.sampling.share, 1);
  EXPECT_EQ(service(config), "modelmill");
  EXPECT_TRUE(check_trace_config(config).ok());
}

TEST(TraceEnvironment, TheOneOfTracesIsTakenAsItIs) {
  const TraceConfig config = applied(
      {{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://other"}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c/in"}});
  EXPECT_EQ(config.collector.server.text(), "https://c:443");
  EXPECT_EQ(config.collector.path, "/in");
}

TEST(TraceEnvironment, WhoMayNotBeginOnlyFillsIn) {
  TraceConfig config;
  EXPECT_TRUE(take({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}}, config, /*may_begin=*/false).ok());
  EXPECT_FALSE(config.opentelemetry);
  EXPECT_TRUE(add_trace_setting("mode=opentelemetry", config).ok());
  const Values values{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_TRACES_SAMPLER", "always_off"}};
  EXPECT_TRUE(take(values, config, /*may_begin=*/false).ok());
  EXPECT_EQ(config.collector.server.text(), "http://c:80");
  EXPECT_EQ(config.sampling.caller, Caller::kTraced);
  EXPECT_EQ(config.settings.level, kTraceOff);
}

TEST(TraceEnvironment, WhatIsSaidComesFirst) {
  TraceConfig said = asked_for();
  for (const char* text : {"opentelemetry,bsp_max_queue_size=7", "opentelemetry,resource=service.name=said"})
    EXPECT_TRUE(add_trace_setting(text, said).ok());
  const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                                      {"OTEL_BSP_MAX_QUEUE_SIZE", "8"},
                                      {"OTEL_BSP_SCHEDULE_DELAY", "9"},
                                      {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10"},
                                      {"OTEL_SERVICE_NAME", "environment"},
                                      {"OTEL_SDK_DISABLED", "true"}},
                                     said);
  EXPECT_EQ(config.collector.server.text(), "http://mine:1");
  EXPECT_EQ(config.collector.max_queue, 7U);
  EXPECT_EQ(config.collector.delay, std::chrono::milliseconds(9));
  EXPECT_EQ(config.collector.max_batch, 10U);
  EXPECT_EQ(service(config), "said");
  TraceConfig file;
  EXPECT_TRUE(add_trace_setting("triton,file=x", file).ok());
  EXPECT_FALSE(applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}}, file).opentelemetry);
}

TEST(TraceEnvironment, CanBeSwitchedOff) {
  for (const auto& off : {Values::value_type{"OTEL_SDK_DISABLED", "True"}, {"OTEL_TRACES_EXPORTER", "none"}})
    EXPECT_FALSE(applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, off}).opentelemetry) << off.first;
}

TEST(TraceEnvironment, AnotherProtocolIsNotSpoken) {
  const Values values{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}};
  const TraceConfig config = applied(values);
  EXPECT_FALSE(config.opentelemetry);
  EXPECT_THAT(config.warnings, ElementsAre(HasSubstr("OTEL_EXPORTER_OTLP_PROTOCOL=grpc, so nothing is sent")));
  EXPECT_TRUE(applied(values, asked_for()).warnings.empty());
}

TEST(TraceEnvironment, HeadersTimeAndCertificate) {
  const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                                      {"OTEL_EXPORTER_OTLP_HEADERS", " api-key = a%20b , x=y=z,"},
                                      {"OTEL_EXPORTER_OTLP_TIMEOUT", "10"},
                                      {"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "20"},
                                      {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"}});
  EXPECT_THAT(config.collector.headers, ElementsAre(Pair("api-key", "a b"), Pair("x", "y=z")));
  EXPECT_EQ(config.collector.timeout, std::chrono::milliseconds(20));
  EXPECT_EQ(config.collector.ca_file, "/ca.pem");
}

TEST(TraceEnvironment, TheServicesName) {
  Values values{{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"}, {"OTEL_RESOURCE_ATTRIBUTES", "service.name=a,k=v"}};
  EXPECT_EQ(service(applied(values)), "a");
  EXPECT_THAT(applied(values).collector.resource, ::testing::Contains(Pair("k", "v")));
  values["OTEL_SERVICE_NAME"] = "b";
  EXPECT_EQ(service(applied(values)), "b");
}

TEST(TraceEnvironment, Samplers) {
  const struct {
    const char* name;
    const char* argument;
    Caller caller;
    double share;
    size_t warnings;
  } cases[] = {
      {"always_on", "", Caller::kIgnored, 1, 0},
      {"always_off", "0.5", Caller::kIgnored, 0, 0},
      {"traceidratio", "0.25", Caller::kIgnored, 0.25, 0},
      {"traceidratio", "", Caller::kIgnored, 1, 0},
      {"parentbased_always_on", "", Caller::kFollowed, 1, 0},
      {"parentbased_always_off", "", Caller::kFollowed, 0, 0},
      {"parentbased_traceidratio", "0.1", Caller::kFollowed, 0.1, 0},
      {"parentbased_traceidratio", "2", Caller::kFollowed, 1, 1},
      {"parentbased_traceidratio", "x", Caller::kFollowed, 1, 1},
      {"jaeger_remote", "0.1", Caller::kFollowed, 1, 1},
  };
  for (const auto& one : cases) {
    const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"},
                                        {"OTEL_TRACES_SAMPLER", one.name},
                                        {"OTEL_TRACES_SAMPLER_ARG", one.argument}});
    EXPECT_EQ(config.sampling.caller, one.caller) << one.name;
    EXPECT_EQ(config.sampling.share, one.share) << one.name << one.argument;
    EXPECT_EQ(config.warnings.size(), one.warnings) << one.name << one.argument;
  }
}

/// Python models may have use for variables that have none here.
TEST(TraceEnvironment, WhatNobodyAskedForKeepsNoServerFromItsStart) {
  const std::pair<const char*, const char*> values[] = {
      {"OTEL_EXPORTER_OTLP_HEADERS", "x"},       {"OTEL_EXPORTER_OTLP_HEADERS", "x=a%0d%0ab"},
      {"OTEL_EXPORTER_OTLP_TIMEOUT", "10s"},     {"OTEL_BSP_MAX_QUEUE_SIZE", "0"},
      {"OTEL_BSP_SCHEDULE_DELAY", "-1"},         {"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many"},
      {"OTEL_RESOURCE_ATTRIBUTES", "no.equals"},
  };
  for (const auto& value : values) {
    const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:1"}, value});
    EXPECT_TRUE(config.opentelemetry) << value.first;
    EXPECT_EQ(config.collector.server.text(), "http://c:1");
    EXPECT_THAT(config.warnings, ElementsAre(AllOf(HasSubstr(value.first), HasSubstr("passed over"))));
    EXPECT_TRUE(config.collector.headers.empty());
    EXPECT_EQ(config.collector.timeout, std::chrono::milliseconds(10'000));
    EXPECT_EQ(config.collector.max_queue, 2'048U);
    EXPECT_EQ(service(config), "modelmill");
  }
}

TEST(TraceEnvironment, ACollectorThatCannotBeIsNone) {
  for (const char* endpoint : {"unix:///run/c.sock", "ftp://x", "http://u:pass@c", "http://c:0"}) {
    const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", endpoint}});
    EXPECT_FALSE(config.opentelemetry) << endpoint;
    EXPECT_EQ(config.settings, TraceSettings());
    EXPECT_TRUE(config.given.url.empty());
    EXPECT_TRUE(check_trace_config(config).ok());
    EXPECT_THAT(config.warnings, ElementsAre(AllOf(HasSubstr("OTEL_EXPORTER_OTLP_ENDPOINT"),
                                                   HasSubstr("nothing is sent"), Not(HasSubstr("pass")))));
  }
}

TEST(TraceEnvironment, AuthoritiesAreLookedAtFirst) {
  const Values values{{"OTEL_EXPORTER_OTLP_ENDPOINT", "https://c"}, {"OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere.pem"}};
  const auto names_it =
      AllOf(HasSubstr("OTEL_EXPORTER_OTLP_CERTIFICATE in the environment"), HasSubstr("/nowhere.pem"));
  const TraceConfig config = applied(values);
  EXPECT_FALSE(config.opentelemetry);
  EXPECT_THAT(config.warnings, ElementsAre(names_it));
  EXPECT_THAT(refusal(values), names_it);
}

TEST(TraceEnvironment, BlanksAroundValuesAreNone) {
  const TraceConfig config = applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", " http://c\n"},
                                      {"OTEL_EXPORTER_OTLP_HEADERS", "a=b\r\n,\tc\t=\td\n"},
                                      {"OTEL_EXPORTER_OTLP_TIMEOUT", "20\n"},
                                      {"OTEL_TRACES_SAMPLER", "always_off\n"}});
  EXPECT_TRUE(config.warnings.empty());
  EXPECT_EQ(config.collector.server.text(), "http://c:80");
  EXPECT_THAT(config.collector.headers, ElementsAre(Pair("a", "b"), Pair("c", "d")));
  EXPECT_EQ(config.collector.timeout, std::chrono::milliseconds(20));
  EXPECT_EQ(config.sampling.share, 0);
}

TEST(TraceEnvironment, TellsNoSecrets) {
  const Values of_headers[] = {
      {{"OTEL_EXPORTER_OTLP_HEADERS", "a=b,Bearer secret"}},
      {{"OTEL_EXPORTER_OTLP_HEADERS", "key=secret%"}},
      {{"OTEL_EXPORTER_OTLP_HEADERS", "key=secret%0a"}},
  };
  for (const Values& values : of_headers)
    EXPECT_THAT(refusal(values), AllOf(HasSubstr("OTEL_EXPORTER_OTLP_HEADERS"), Not(HasSubstr("secret"))));
  EXPECT_THAT(refusal(of_headers[0]), HasSubstr("number 2 of its entries is no KEY=VALUE"));
  EXPECT_THAT(refusal(of_headers[1]), HasSubstr("the value of 'key'"));
  EXPECT_THAT(refusal({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@c"}}),
              AllOf(HasSubstr("http://...@c"), Not(HasSubstr("secret"))));
  const TraceConfig spoken =
      applied({{"OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@c/secret"}, {"OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"}});
  EXPECT_THAT(spoken.warnings, ElementsAre(Not(HasSubstr("secret"))));
}

TEST(TraceEnvironment, NamesTheVariableThatIsWrong) {
  EXPECT_THAT(refusal({{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "ftp://x"}}),
              HasSubstr("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"));
  EXPECT_THAT(refusal({{"OTEL_EXPORTER_OTLP_HEADERS", "x"}}), HasSubstr("OTEL_EXPORTER_OTLP_HEADERS"));
  EXPECT_THAT(refusal({{"OTEL_EXPORTER_OTLP_HEADERS", "x=a%0d%0ab"}}), HasSubstr("'x' has a character"));
  EXPECT_THAT(refusal({{"OTEL_EXPORTER_OTLP_HEADERS", "x=%z"}}), HasSubstr("OTEL_EXPORTER_OTLP_HEADERS"));
  EXPECT_THAT(refusal({{"OTEL_EXPORTER_OTLP_TIMEOUT", "soon"}}), HasSubstr("OTEL_EXPORTER_OTLP_TIMEOUT"));
  EXPECT_THAT(refusal({{"OTEL_BSP_MAX_QUEUE_SIZE", "0"}}), HasSubstr("OTEL_BSP_MAX_QUEUE_SIZE"));
  EXPECT_THAT(refusal({{"OTEL_RESOURCE_ATTRIBUTES", "=v"}}), HasSubstr("OTEL_RESOURCE_ATTRIBUTES"));
}

}  // namespace
}  // namespace modelmill
