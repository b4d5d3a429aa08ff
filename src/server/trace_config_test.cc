#include "server/trace_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

TraceConfig with(std::initializer_list<const char*> texts) {
  TraceConfig config;
  for (const char* text : texts) EXPECT_TRUE(add_trace_setting(text, config).ok()) << text;
  return config;
}
std::string refusal(std::initializer_list<const char*> texts) { return check_trace_config(with(texts)).message(); }

TEST(TraceConfig, ReadsTritonsForms) {
  EXPECT_EQ(TraceConfig().settings, (TraceSettings{kTraceOff, 1000, -1, 0}));
  TraceConfig config = with({"rate=100", "level=TIMESTAMPS", "level=TENSORS", "count=5", "mode=triton",
                             "triton,file=/tmp/a=b.json", "triton,log-frequency=50"});
  EXPECT_EQ(config.settings, (TraceSettings{kTraceTimestamps | kTraceTensors, 100, 5, 50}));
  EXPECT_EQ(config.file, "/tmp/a=b.json");
  EXPECT_FALSE(config.opentelemetry);
  EXPECT_TRUE(check_trace_config(config).ok());
  EXPECT_TRUE(add_trace_setting("level=OFF", config).ok());
  EXPECT_EQ(config.settings.level, kTraceOff);
}

TEST(TraceConfig, ReadsThoseOfSpans) {
  const TraceConfig config =
      with({"mode=opentelemetry", "rate=0", "level=TIMESTAMPS", "opentelemetry,url=localhost:4000/v1/traces",
            "opentelemetry,resource=k=v=w", "opentelemetry,resource=service.name=x",
            "opentelemetry,bsp_max_queue_size=1", "opentelemetry,bsp_schedule_delay=0"});
  EXPECT_TRUE(check_trace_config(config).ok());
  EXPECT_EQ(config.settings, (TraceSettings{kTraceTimestamps, 0, -1, 0}));
  EXPECT_EQ(config.sampling.caller, SpanSampling::Caller::kTraced);
  EXPECT_EQ(config.collector.server.text(), "http://localhost:4000");
  EXPECT_EQ(config.collector.max_queue, 1U);
  EXPECT_THAT(told_of_spans(config),
              ElementsAre(Pair("url", "localhost:4000/v1/traces"), Pair("resource", "k=v=w"),
                          Pair("resource", "service.name=x"), Pair("bsp_max_queue_size", "1"),
                          Pair("bsp_schedule_delay", "0"), Pair("bsp_max_export_batch_size", "512")));
}

TEST(TraceConfig, TellsNoPathThatMayBeASecret) {
  EXPECT_THAT(told_of_spans(with({"mode=opentelemetry", "opentelemetry,url=https://c/secret/v1/traces"})),
              Contains(Pair("url", "https://c:443/...")));
  EXPECT_THAT(told_of_spans(with({"mode=opentelemetry", "opentelemetry,url=c"})), Contains(Pair("url", "c")));
}

TEST(TraceConfig, ACollectorIsEnough) {
  TraceConfig config;
  EXPECT_TRUE(trace_to_collector("http://c", config).ok());
  EXPECT_EQ(config.settings, (TraceSettings{kTraceTimestamps, 1, -1, 0}));
  EXPECT_EQ(config.sampling.caller, SpanSampling::Caller::kFollowed);
  TraceConfig said = with({"rate=50", "level=OFF"});
  EXPECT_TRUE(trace_to_collector("http://c", said).ok());
  EXPECT_EQ(said.settings, (TraceSettings{kTraceOff, 50, -1, 0}));
  EXPECT_FALSE(trace_to_collector("ftp://c", config).ok());
}

TEST(TraceConfig, RefusesOthers) {
  for (const char* text : {"",
                           "rate",
                           "rate=",
                           "rate=-1",
                           "rate=x",
                           "rate=1x",
                           "count=-2",
                           "level=ALL",
                           "mode=jaeger",
                           "file=x",
                           "triton,log-frequency=-1",
                           "triton,rate=1",
                           "rate=4294967296",
                           "opentelemetry,url=ftp://x",
                           "opentelemetry,resource=x",
                           "opentelemetry,resource==x",
                           "opentelemetry,bsp_max_queue_size=0",
                           "opentelemetry,bsp_schedule_delay=-1",
                           "opentelemetry,bsp_max_export_batch_size=x",
                           "opentelemetry,file=x"}) {
    TraceConfig config;
    EXPECT_EQ(add_trace_setting(text, config).code(), Code::kInvalidArgument) << text;
    EXPECT_EQ(config.settings, TraceSettings()) << text;
  }
}

TEST(TraceConfig, WhatCannotBeTogether) {
  EXPECT_THAT(refusal({"level=TIMESTAMPS"}), HasSubstr("names a level but no file"));
  EXPECT_THAT(refusal({"rate=0", "triton,file=x"}), HasSubstr("rate=0 traces nothing"));
  EXPECT_THAT(refusal({"opentelemetry,url=c"}), HasSubstr("needs --trace-config mode=opentelemetry"));
  EXPECT_THAT(refusal({"mode=opentelemetry", "triton,file=x"}), HasSubstr("either into a file or to a collector"));
  EXPECT_THAT(refusal({"mode=opentelemetry", "level=TENSORS"}), HasSubstr("spans have no tensors"));
}

}  // namespace
}  // namespace modelmill
