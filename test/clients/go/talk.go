// What the steps of the Go story share: a printed line, failing, one session and its open stream.
// Lines are compared with what the other languages print, so they hold no ids or times.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/packages/ssestream"
)

type streamEvent = anthropic.BetaManagedAgentsStreamSessionEventsUnion
type clientEvent = anthropic.BetaManagedAgentsEventParamsUnion
type facts map[string]any

// tell prints a step that was seen.
func tell(step string, seen facts) {
	seen["step"] = step
	line := got(json.Marshal(seen))
	fmt.Println(string(line))
}

// must ends the program with the error, if there is one.
func must(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%+v\n", err)
		os.Exit(1)
	}
}

// got is the value of a call that did not fail.
func got[T any](value T, err error) T {
	must(err)
	return value
}

func expect[T any](found, wanted T) {
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		must(fmt.Errorf("%v is not %v", found, wanted))
	}
}

// talk is one session and its open stream, which is read as far as the story needs it.
type talk struct {
	client anthropic.Client
	id     string
	stream *ssestream.Stream[streamEvent]
	seen   []streamEvent
}

func newTalk(ctx context.Context, client anthropic.Client, id string) *talk {
	params := anthropic.BetaSessionEventStreamParams{}
	stream := client.Beta.Sessions.Events.StreamEvents(ctx, id, params)
	must(stream.Err())
	return &talk{client: client, id: id, stream: stream}
}

func (t *talk) send(ctx context.Context, event clientEvent) {
	send(ctx, t.client, t.id, event)
}

func send(ctx context.Context, client anthropic.Client, id string, event clientEvent) {
	params := anthropic.BetaSessionEventSendParams{Events: []clientEvent{event}}
	sent := got(client.Beta.Sessions.Events.Send(ctx, id, params))
	expect(len(sent.Data), 1)
	expect(sent.Data[0].Type, *event.GetType())
}

// until is what the stream carries up to the next event of this type.
func (t *talk) until(kind string) []streamEvent {
	var events []streamEvent
	for t.stream.Next() {
		events = append(events, t.stream.Current())
		if t.stream.Current().Type == kind {
			t.seen = append(t.seen, events...)
			return events
		}
	}
	must(t.stream.Err())
	must(fmt.Errorf("the stream ended before %s", kind))
	return nil
}

// isOver says whether the stream is over, all of it having been read.
func (t *talk) isOver() bool {
	isOver := !t.stream.Next()
	must(t.stream.Err())
	return isOver
}

func message(text string) clientEvent {
	return clientEvent{OfUserMessage: &anthropic.BetaManagedAgentsUserMessageEventParams{
		Content: []anthropic.BetaManagedAgentsUserMessageEventParamsContentUnion{{
			OfText: &anthropic.BetaManagedAgentsTextBlockParam{Text: text},
		}},
	}}
}

func textOfMessage(event anthropic.BetaManagedAgentsAgentMessageEvent) string {
	var text strings.Builder
	for _, block := range event.Content {
		text.WriteString(block.Text)
	}
	return text.String()
}

func textOfResult(event anthropic.BetaManagedAgentsAgentToolResultEvent) string {
	var text strings.Builder
	for _, block := range event.Content {
		text.WriteString(block.Text)
	}
	return text.String()
}

func only(events []streamEvent, kind string) []streamEvent {
	isOther := func(event streamEvent) bool { return event.Type != kind }
	return slices.DeleteFunc(slices.Clone(events), isOther)
}

func last(events []streamEvent, kind string) streamEvent {
	found := only(events, kind)
	return found[len(found)-1]
}

func typesOf(events []streamEvent) []string {
	types := []string{}
	for _, event := range events {
		types = append(types, event.Type)
	}
	return types
}

// reasonOf is why the turn ended; its EventIDs are the calls that it waits for.
func reasonOf(events []streamEvent) anthropic.BetaManagedAgentsStreamSessionEventsUnionStopReason {
	return last(events, "session.status_idle").StopReason
}
