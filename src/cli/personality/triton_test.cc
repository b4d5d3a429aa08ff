#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/personality/personality.h"
#include "cli/personality/triton_draft.h"

namespace modelmill::personality {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::map<std::string, std::string> variables;  // NOLINT: the environment of a test

Outcome parse(std::vector<std::string> arguments) {
  return kTritonServer.parse(arguments, [](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

Launch launch(std::vector<std::string> arguments) {
  arguments.emplace_back("--model-repository=/models");
  Outcome outcome = parse(std::move(arguments));
  if (const Answer* answer = std::get_if<Answer>(&outcome)) ADD_FAILURE() << answer->text;
  return std::holds_alternative<Launch>(outcome) ? std::get<Launch>(outcome) : Launch();
}
ServerConfig config(std::vector<std::string> arguments) { return launch(std::move(arguments)).config; }

std::string refusal(std::vector<std::string> arguments) {
  const Outcome outcome = parse(std::move(arguments));
  const Answer* answer = std::get_if<Answer>(&outcome);
  if (answer == nullptr) return "taken";
  EXPECT_EQ(answer->exit_code, 1);
  return answer->text;
}

class TritonTest : public ::testing::Test {
 protected:
  ~TritonTest() override { variables.clear(); }
};

TEST_F(TritonTest, WithoutFlagsItIsAsTritonIs) {
  const ServerConfig taken = config({});
  EXPECT_THAT(taken.paths, ElementsAre("/models"));
  ASSERT_EQ(taken.listen.size(), 3U);
  EXPECT_EQ(url_text(taken.listen[0]), "http://0.0.0.0:8000");
  EXPECT_EQ(taken.listen[0].serves, (wire::Services{true, false, false}));
  EXPECT_EQ(url_text(taken.listen[1]), "http://0.0.0.0:8001");
  EXPECT_EQ(taken.listen[1].serves, (wire::Services{false, true, false}));
  EXPECT_EQ(url_text(taken.listen[2]), "http://0.0.0.0:8002");
  EXPECT_EQ(taken.listen[2].serves, (wire::Services{false, false, true}));
  EXPECT_EQ(taken.control.mode, ControlMode::kNone);
  EXPECT_EQ(taken.failed_models, FailedModels::kEnd);
  EXPECT_FALSE(taken.ready_without_models);
  EXPECT_TRUE(taken.auto_complete_config);
  EXPECT_EQ(taken.limits.http_body, 67108864U);
  EXPECT_EQ(taken.drain_timeout, std::chrono::seconds(30));
  EXPECT_EQ(taken.load_threads, 4);
  EXPECT_EQ(taken.server_name, "triton");
  EXPECT_THAT(taken.shared_memory_keys, IsEmpty());
  const AccessRules rules = access_rules(taken.access, true);
  for (const AccessRule& rule : rules) EXPECT_EQ(rule.kind, AccessRule::Kind::kOpen);
}

TEST_F(TritonTest, FlagsAreWrittenAsGetoptTakesThem) {
  EXPECT_EQ(config({"--http-port", "1234"}).listen[0].port, 1234);
  EXPECT_EQ(config({"--http-port=1234"}).listen[0].port, 1234);
  EXPECT_EQ(config({"--http-po=1234"}).listen[0].port, 1234);
  EXPECT_THAT(refusal({"--http-p"}), HasSubstr("requires an argument"));
  EXPECT_THAT(refusal({"--http=1"}), AllOf(HasSubstr("ambiguous"), HasSubstr("'--http-port'")));
  EXPECT_THAT(refusal({"--http-prot=1"}), HasSubstr("unrecognized option '--http-prot'; did you mean '--http-port'?"));
  EXPECT_THAT(refusal({"models"}), HasSubstr("Unexpected argument: models"));
  EXPECT_THAT(refusal({"--disable-auto-complete-config=true"}), HasSubstr("doesn't allow an argument"));
  EXPECT_THAT(refusal({"-p"}), HasSubstr("invalid option '-p'"));
}

TEST_F(TritonTest, BadValuesNameTheirFlag) {
  EXPECT_THAT(refusal({"--http-port=x"}), HasSubstr("Bad option: \"--http-port\".\nInvalid option value. Got x"));
  EXPECT_THAT(refusal({"--http-port=99999999999"}), HasSubstr("out of bound"));
  EXPECT_THAT(refusal({"--http-port=70000", "--model-repository=/m"}), HasSubstr("there is no port 70000"));
  EXPECT_THAT(refusal({"--exit-on-error=maybe"}), HasSubstr("invalid value for bool option: maybe"));
  EXPECT_THAT(refusal({"--grpc-infer-thread-count=1"}), HasSubstr("range 2 to 128"));
  EXPECT_THAT(refusal({"--model-control-mode=often"}), HasSubstr("invalid argument for --model-control-mode"));
  EXPECT_THAT(refusal({"--http-max-input-size=0"}), HasSubstr("must be greater than 0"));
}

TEST_F(TritonTest, WhatFlagsSayTogetherIsLookedAt) {
  const std::string repository = "--model-repository=/m";
  EXPECT_THAT(refusal({}), HasSubstr("--model-repository must be specified"));
  EXPECT_THAT(refusal({repository, "--load-model=a"}), HasSubstr("requires setting '--model-control-mode=explicit'"));
  EXPECT_THAT(refusal({repository, "--grpc-port=8000"}),
              HasSubstr("The server cannot listen to HTTP requests and GRPC requests at the same address and port"));
  EXPECT_THAT(refusal({repository, "--allow-http=0", "--allow-grpc=0", "--allow-metrics=0"}),
              HasSubstr("nothing would be served"));
  EXPECT_THAT(refusal({repository, "--grpc-use-ssl=1"}), HasSubstr("needs --grpc-server-cert"));
  EXPECT_THAT(refusal({repository, "--model-control-mode=explicit", "--load-model=*", "--load-model=a"}),
              HasSubstr("must be the ONLY startup model"));
}

TEST_F(TritonTest, PortsThatAreNotAllowedAreNotThere) {
  const ServerConfig taken = config({"--allow-http=false", "--allow-metrics=off", "--grpc-address=::1"});
  ASSERT_EQ(taken.listen.size(), 1U);
  EXPECT_EQ(url_text(taken.listen[0]), "http://[::1]:8001");
}

TEST_F(TritonTest, MetricsAreWhereHttpIs) {
  EXPECT_EQ(config({"--http-address=127.0.0.1"}).listen[2].host, "127.0.0.1");
  EXPECT_EQ(config({"--http-address=127.0.0.1", "--metrics-address=::1"}).listen[2].host, "::1");
}

TEST_F(TritonTest, TlsIsSpokenOnThePortForGrpcAlone) {
  const ServerConfig taken =
      config({"--grpc-use-ssl-mutual=true", "--grpc-server-cert=c", "--grpc-server-key=k", "--grpc-root-cert=r"});
  EXPECT_EQ(taken.tls.certificate, "c");
  EXPECT_EQ(taken.tls.key, "k");
  EXPECT_EQ(taken.tls.client_ca, "r");
  EXPECT_EQ(taken.listen[0].scheme, wire::Endpoint::Scheme::kHttp);
  EXPECT_EQ(taken.listen[1].scheme, wire::Endpoint::Scheme::kHttps);
  EXPECT_EQ(taken.listen[2].scheme, wire::Endpoint::Scheme::kHttp);
  EXPECT_FALSE(config({"--grpc-server-cert=c", "--grpc-server-key=k"}).tls.enabled());
}

TEST_F(TritonTest, RestrictionsAreOfTheirProtocol) {
  const ServerConfig taken =
      config({"--http-restricted-api=model-repository,trace:Key=v=w", "--grpc-restricted-protocol=inference:key=s"});
  EXPECT_THAT(taken.access.restrictions,
              ElementsAre(Restriction{ApiKind::kModelRepository, false, "key", "v=w"},
                          Restriction{ApiKind::kTrace, false, "key", "v=w"},
                          Restriction{ApiKind::kInference, true, "triton-grpc-protocol-key", "s"}));
  EXPECT_THAT(refusal({"--http-restricted-api=all:k=v"}), HasSubstr("unknown restricted api 'all'"));
  EXPECT_THAT(refusal({"--http-restricted-api=health:k"}), HasSubstr("option format is"));
  EXPECT_THAT(refusal({"--http-restricted-api=health:k=v", "--http-restricted-api=health:l=v"}),
              HasSubstr("multiple config groups"));
}

TEST_F(TritonTest, ModelsAndTheirControl) {
  const ServerConfig taken =
      config({"--model-store=/other", "--model-control-mode=EXPLICIT", "--load-model=a", "--load-model=b",
              "--exit-on-error=false", "--strict-readiness=false", "--disable-auto-complete-config",
              "--exit-timeout-secs=3", "--model-load-thread-count=2", "--allow-client-shm=true", "--id=mine"});
  EXPECT_THAT(taken.paths, ElementsAre("/other", "/models"));
  EXPECT_THAT(taken.control.load_models, ElementsAre("a", "b"));
  EXPECT_EQ(taken.control.mode, ControlMode::kExplicit);
  EXPECT_EQ(taken.failed_models, FailedModels::kServeOn);
  EXPECT_TRUE(taken.ready_without_models);
  EXPECT_FALSE(taken.auto_complete_config);
  EXPECT_EQ(taken.drain_timeout, std::chrono::seconds(3));
  EXPECT_EQ(taken.load_threads, 2);
  EXPECT_THAT(taken.shared_memory_keys, ElementsAre("/"));
  EXPECT_EQ(taken.server_name, "mine");
  EXPECT_FALSE(config({"--strict-model-config=true"}).auto_complete_config);
}

TEST_F(TritonTest, LogsAndTraces) {
  const Launch taken = launch({"--log-verbose=2", "--log-info=false", "--log-file=l", "--trace-file=t",
                               "--trace-level=max", "--trace-config=rate=7"});
  EXPECT_TRUE(taken.log.debug);
  EXPECT_FALSE(taken.log.info);
  EXPECT_TRUE(taken.log.warning);
  EXPECT_EQ(taken.log.file, "l");
  EXPECT_EQ(taken.config.trace.file, "t");
  EXPECT_EQ(taken.config.trace.settings.level, kTraceTimestamps);
  EXPECT_EQ(taken.config.trace.settings.rate, 7U);
  EXPECT_EQ(config({"--trace-config=level=TENSORS", "--trace-level=OFF"}).trace.settings.level, kTraceOff);
}

TEST_F(TritonTest, Spans) {
  variables = {{"OTEL_BSP_SCHEDULE_DELAY", "7"}, {"OTEL_EXPORTER_OTLP_ENDPOINT", "http://environment"}};
  EXPECT_FALSE(config({"--trace-config=level=TIMESTAMPS", "--trace-config=triton,file=t"}).trace.opentelemetry);
  const Launch taken =
      launch({"--trace-config=mode=OpenTelemetry", "--trace-config=level=TENSORS", "--trace-config=level=TIMESTAMPS",
              "--trace-config=rate=0", "--trace-file=t", "--trace-config=opentelemetry,url=localhost:4000/x"});
  const TraceConfig& trace = taken.config.trace;
  EXPECT_TRUE(trace.opentelemetry);
  EXPECT_EQ(trace.file, "");
  EXPECT_EQ(trace.settings, (TraceSettings{kTraceTimestamps, 0, -1, 0}));
  EXPECT_EQ(trace.collector.server.text(), "http://localhost:4000");
  EXPECT_EQ(trace.collector.delay, std::chrono::milliseconds(7));
  EXPECT_THAT(trace.collector.resource, Contains(::testing::Pair("service.name", "triton-inference-server")));
  EXPECT_EQ(trace.sampling.caller, SpanSampling::Caller::kTraced);
  EXPECT_THAT(taken.notices, Contains(::testing::Field(&Notice::event, "no tensors are traced")));
  EXPECT_EQ(config({"--trace-config=mode=opentelemetry"}).trace.collector.server.text(), "http://environment:80");
  // What is of the other mode counts for nothing.
  EXPECT_FALSE(config({"--trace-config=opentelemetry,url=c"}).trace.opentelemetry);
  EXPECT_THAT(refusal({"--trace-config=opentelemetry,bsp_max_queue_size=x"}), HasSubstr("bsp_max_queue_size"));
}

TEST_F(TritonTest, MetricsAreThoseThatAreAskedFor) {
  const ServerConfig usual = config({});
  EXPECT_TRUE(usual.series.counters && usual.series.histograms && usual.gpu_series && usual.cpu_series);
  EXPECT_TRUE(usual.pinned_pool_series);
  EXPECT_FALSE(usual.series.summaries || usual.series.all_first_responses);
  EXPECT_EQ(usual.series.tag_prefix, "_");
  const Launch taken =
      launch({"--http-restricted-api=health:k=v", "--metrics-config=summary_latencies=true", "--metrics-config",
              "counter_latencies=false", "--metrics-config=summary_quantiles=0.5:0.05,0.9:0.01", "--metrics-config=a=b",
              "--allow-gpu-metrics=false", "--allow-cpu-metrics=false"});
  EXPECT_TRUE(taken.config.series.summaries);
  EXPECT_FALSE(taken.config.series.counters || taken.config.gpu_series || taken.config.cpu_series);
  EXPECT_THAT(taken.config.series.quantiles, ElementsAre(0.5, 0.9));
  ASSERT_EQ(taken.notices.size(), 1U) << "a setting that is none of Triton's";
  EXPECT_EQ(taken.notices[0].flag, "--metrics-config=a=b");
  EXPECT_THAT(refusal({"--metrics-config=summary_latencies"}), HasSubstr("format is <setting>=<value>"));
}

TEST_F(TritonTest, ConnectionsAndPortsAreThoseOfTheFlags) {
  const ServerConfig usual = config({});
  EXPECT_EQ(usual.limits.connection_age.count(), 0);
  for (const wire::Endpoint& endpoint : usual.listen) EXPECT_FALSE(endpoint.shared);
  const ServerConfig taken = config({"--grpc-max-connection-age=60000", "--grpc-max-connection-age-grace", "500",
                                     "--reuse-grpc-port=true", "--model-load-gpu-limit=1:0.8"});
  EXPECT_EQ(taken.limits.connection_age, std::chrono::minutes(1));
  EXPECT_EQ(taken.limits.connection_age_grace, std::chrono::milliseconds(500));
  for (const wire::Endpoint& endpoint : taken.listen) EXPECT_EQ(endpoint.shared, endpoint.serves.grpc);
  EXPECT_THAT(taken.control.device_budgets.shares, ElementsAre(std::pair(1, 0.8)));
  EXPECT_TRUE(taken.control.device_budgets.empty()) << "nothing goes to make room";
  for (const char* wrong : {"0.8", "0:0", "0:1.1", "-1:0.5"})
    EXPECT_THAT(refusal({std::string("--model-load-gpu-limit=") + wrong}), HasSubstr(wrong));
}

TEST_F(TritonTest, TheLocalCacheIsThere) {
  EXPECT_FALSE(config({}).response_cache.any());
  EXPECT_EQ(config({"--cache-config", "local,size=8589934592"}).response_cache.bytes, uint64_t{1} << 33);
  EXPECT_EQ(config({"--response-cache-byte-size=100"}).response_cache.bytes, 100U);
  EXPECT_FALSE(config({"--response-cache-byte-size=0"}).response_cache.any());
  const Launch other = launch({"--http-restricted-api=health:k=v", "--cache-config=redis,host=h"});
  ASSERT_EQ(other.notices.size(), 1U);
  EXPECT_THAT(other.notices[0].reason, HasSubstr("--cache-config=local,size=BYTES"));
  EXPECT_THAT(refusal({"--cache-config=local,size=1", "--cache-config=redis,host=h"}), HasSubstr("multiple cache"));
  EXPECT_THAT(refusal({"--cache-config=local,size=1", "--response-cache-byte-size=1"}), HasSubstr("incompatible"));
  for (const char* wrong : {"local", "size=1", ",size=1", "local,=1", "local,size="})
    EXPECT_THAT(refusal({std::string("--cache-config=") + wrong}), HasSubstr(std::string("Got ") + wrong));
  for (const char* wrong : {"local,size=0", "local,size=-1", "local,size=big", "local,host=h"})
    EXPECT_THAT(refusal({std::string("--cache-config=") + wrong}), HasSubstr(wrong));
}

TEST_F(TritonTest, AnIgnoredFlagIsToldOnce) {
  const Launch taken = launch(
      {"--http-address=127.0.0.1", "--grpc-address=127.0.0.1", "--http-thread-count=3", "--http-thread-count=4"});
  ASSERT_EQ(taken.notices.size(), 1U);
  EXPECT_EQ(taken.notices[0].flag, "--http-thread-count");
  EXPECT_THAT(taken.notices[0].reason, HasSubstr("event loops"));
}

TEST_F(TritonTest, OpenPortsAreWarnedOfUnlessRestricted) {
  ASSERT_EQ(launch({}).notices.size(), 1U);
  EXPECT_THAT(launch({}).notices[0].flag, HasSubstr("--http-restricted-api"));
  EXPECT_THAT(launch({"--http-restricted-api=health:k=v"}).notices, IsEmpty());
}

TEST_F(TritonTest, VertexAisVariables) {
  variables = {{"AIP_STORAGE_URI", "gs://bucket/models"},
               {"AIP_MODE", "PREDICTION"},
               {"AIP_HTTP_PORT", "9090"},
               {"AIP_HEALTH_ROUTE", "/alive"},
               {"AIP_PREDICT_ROUTE", "/ask"}};
  const Outcome outcome = parse({"--http-restricted-api=health:k=v", "--allow-metrics=false"});
  ASSERT_TRUE(std::holds_alternative<Launch>(outcome));
  const ServerConfig& taken = std::get<Launch>(outcome).config;
  EXPECT_THAT(taken.paths, ElementsAre("gs://bucket/models"));
  EXPECT_THAT(std::get<Launch>(outcome).notices, IsEmpty());
  ASSERT_EQ(taken.listen.size(), 1U);
  EXPECT_EQ(url_text(taken.listen[0]), "http://0.0.0.0:9090");
  EXPECT_EQ(taken.listen[0].serves, (wire::Services{true, false, true}));
  EXPECT_EQ(taken.cloud_routes, (invocations::CloudRoutes{"/alive", "/ask"}));
  EXPECT_TRUE(taken.vertex_redirect);
  EXPECT_EQ(taken.default_model, "");
  // Flags count more.
  EXPECT_EQ(config({"--vertex-ai-default-model=m"}).default_model, "m");
  EXPECT_EQ(config({"--allow-http=true", "--vertex-ai-port=1"}).listen.size(), 3U);
  const ServerConfig without = config({"--allow-vertex-ai=false", "--allow-grpc=true"});
  EXPECT_EQ(without.cloud_routes, invocations::CloudRoutes());
  EXPECT_FALSE(without.vertex_redirect);
  variables.erase("AIP_PREDICT_ROUTE");
  EXPECT_THAT(refusal({"--model-repository=/m"}), HasSubstr("AIP_PREDICT_ROUTE is not defined"));
  variables["AIP_HTTP_PORT"] = "x";
  EXPECT_THAT(refusal({"--model-repository=/m"}), HasSubstr("AIP_HTTP_PORT in the environment is 'x'"));
}

TEST_F(TritonTest, SageMakerHasAPortOfItsOwn) {
  variables["SAGEMAKER_TRITON_DEFAULT_MODEL_NAME"] = "m";
  EXPECT_EQ(config({}).listen.size(), 3U);
  EXPECT_EQ(config({}).default_model, "");
  const std::vector<std::string> alone = {"--allow-sagemaker=true", "--allow-http=false", "--allow-grpc=false",
                                          "--allow-metrics=false"};
  const ServerConfig taken = config(alone);
  ASSERT_EQ(taken.listen.size(), 1U);
  EXPECT_EQ(url_text(taken.listen[0]), "http://0.0.0.0:8080");
  EXPECT_EQ(taken.listen[0].serves, (wire::Services{true, false, false}));
  EXPECT_EQ(taken.default_model, "m");
  EXPECT_FALSE(taken.vertex_redirect);
  const auto refused = [](const std::string& flag) {
    return refusal(
        {"--model-repository=/m", "--allow-sagemaker=true", "--allow-grpc=false", "--allow-metrics=false", flag});
  };
  EXPECT_THAT(refused("--sagemaker-port=8000"), HasSubstr("HTTP requests and SageMaker requests at the same address"));
  EXPECT_THAT(refused("--sagemaker-safe-port-range=9000-9010"),
              HasSubstr("HTTP requests at port 8000, allowed port range is [9000, 9010]"));
  EXPECT_EQ(refused("--sagemaker-safe-port-range=7999-8000"), "taken");
  for (const char* range : {"9000", "9-8", "x-9", "9-", "1-70000"})
    EXPECT_THAT(refused(std::string("--sagemaker-safe-port-range=") + range),
                HasSubstr("Bad option: \"--sagemaker-safe-port-range\""))
        << range;
}

TEST_F(TritonTest, CloudsPortsAreOfEveryAddress) {
  variables = {{"AIP_HEALTH_ROUTE", "/alive"}, {"AIP_PREDICT_ROUTE", "/ask"}};
  const std::vector<std::string> flags = {"--http-address=127.0.0.1", "--allow-grpc=false",
                                          "--allow-metrics=false",    "--allow-sagemaker=true",
                                          "--allow-vertex-ai=true",   "--vertex-ai-port=8081"};
  const Launch taken = launch(flags);
  ASSERT_EQ(taken.config.listen.size(), 3U);
  EXPECT_EQ(url_text(taken.config.listen[0]), "http://127.0.0.1:8000");
  EXPECT_EQ(url_text(taken.config.listen[1]), "http://0.0.0.0:8080");
  EXPECT_EQ(url_text(taken.config.listen[2]), "http://0.0.0.0:8081");
  ASSERT_EQ(taken.notices.size(), 1U);
  EXPECT_THAT(taken.notices[0].reason, HasSubstr("MODELMILL_BIND=ADDRESS"));
  variables["MODELMILL_BIND"] = "127.0.0.2";
  const Launch bound = launch(flags);
  ASSERT_EQ(bound.config.listen.size(), 3U);
  EXPECT_EQ(url_text(bound.config.listen[0]), "http://127.0.0.1:8000");
  EXPECT_EQ(url_text(bound.config.listen[1]), "http://127.0.0.2:8080");
  EXPECT_EQ(url_text(bound.config.listen[2]), "http://127.0.0.2:8081");
  EXPECT_THAT(bound.notices, IsEmpty());
}

TEST_F(TritonTest, APortOfEveryAddressIsNoOthers) {
  const std::vector<std::string> flags = {"--model-repository=/m",  "--allow-grpc=false", "--allow-metrics=false",
                                          "--allow-sagemaker=true", "--http-port=8080",   "--http-address=127.0.0.1"};
  EXPECT_THAT(refusal(flags), HasSubstr("HTTP requests and SageMaker requests at the same address and port"));
  variables["MODELMILL_BIND"] = "127.0.0.2";
  EXPECT_EQ(refusal(flags), "taken");
}

TEST_F(TritonTest, SageMakersRangeHoldsVertexAisPortToo) {
  variables = {{"AIP_HEALTH_ROUTE", "/alive"}, {"AIP_PREDICT_ROUTE", "/ask"}};
  const auto refused = [](const std::string& vertex_port) {
    return refusal({"--model-repository=/m", "--allow-http=false", "--allow-grpc=false", "--allow-metrics=false",
                    "--allow-sagemaker=true", "--allow-vertex-ai=true", "--sagemaker-safe-port-range=9000-9010",
                    "--vertex-ai-port=" + vertex_port});
  };
  EXPECT_THAT(refused("9011"), HasSubstr("Vertex AI requests at port 9011, allowed port range is [9000, 9010]"));
  EXPECT_EQ(refused("9010"), "taken");
}

TEST_F(TritonTest, VariablesOfSageMakersThatAskForMoreAreTold) {
  const std::vector<std::string> flags = {"--allow-sagemaker=true", "--http-restricted-api=health:k=v"};
  variables = {{"SAGEMAKER_TRITON_INFERENCE_TYPE", "infer"}, {"SAGEMAKER_TRITON_PING_MODE", "ready"}};
  EXPECT_THAT(launch(flags).notices, IsEmpty());
  variables = {{"SAGEMAKER_TRITON_INFERENCE_TYPE", "generate_stream"}, {"SAGEMAKER_TRITON_PING_MODE", "live"}};
  const Launch taken = launch(flags);
  ASSERT_EQ(taken.notices.size(), 2U);
  EXPECT_EQ(taken.notices[0].flag, "SAGEMAKER_TRITON_INFERENCE_TYPE=generate_stream");
  EXPECT_EQ(taken.notices[1].flag, "SAGEMAKER_TRITON_PING_MODE=live");
  EXPECT_THAT(launch({"--http-restricted-api=health:k=v"}).notices, IsEmpty());
}

TEST_F(TritonTest, AMultiModelEndpointOfSageMakers) {
  const std::string dummy = "/tmp/sagemaker";
  const auto flags = [&](const std::string& mode) {
    return std::vector<std::string>{"--model-repository=" + dummy, "--allow-sagemaker=true",
                                    "--model-control-mode=" + mode, "--http-restricted-api=health:k=v"};
  };
  EXPECT_THAT(launch(flags("explicit")).config.multi_model_folders, IsEmpty());
  variables = {{"SAGEMAKER_MULTI_MODEL", "true"}, {"SAGEMAKER_TRITON_PING_MODE", "live"}};
  const Launch taken = launch(flags("explicit"));
  EXPECT_THAT(taken.config.multi_model_folders, ElementsAre("/opt/ml/models", dummy, "/models"));
  EXPECT_THAT(taken.config.paths, IsEmpty());
  EXPECT_THAT(taken.config.access.management_prefixes, Contains("/models"));
  EXPECT_THAT(taken.notices, IsEmpty());
  EXPECT_THAT(refusal(flags("none")), HasSubstr("SAGEMAKER_MULTI_MODEL=true needs --model-control-mode=explicit"));
  EXPECT_THAT(launch({"--model-repository=/m", "--model-control-mode=none"}).config.multi_model_folders, IsEmpty());
}

TEST_F(TritonTest, EachFlagIsThereOnceAndItsExampleIsTaken) {
  std::set<std::string_view> names;
  for (const TritonFlag& flag : triton_flags()) {
    EXPECT_TRUE(names.insert(flag.name).second) << flag.name;
    EXPECT_EQ(flag.value == FlagValue::kNone, flag.example.empty()) << flag.name;
    EXPECT_TRUE(flag.taken == Taken::kSame || !flag.note.empty()) << flag.name;
    TritonDraft draft;
    if (flag.apply == nullptr) continue;
    const Status status = flag.apply(draft, std::string(flag.example));
    EXPECT_TRUE(status.ok()) << flag.name << ": " << status.message();
  }
}

TEST_F(TritonTest, HelpIsTheUsageWithTritonsExitCode) {
  EXPECT_THAT(refusal({"--help"}), AllOf(HasSubstr("Usage: tritonserver"), HasSubstr("  --http-port <integer>\n")));
}

}  // namespace
}  // namespace modelmill::personality
