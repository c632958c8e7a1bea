package openai

import (
	"errors"
	"net/http"

	"github.com/vectorlink/vectorlink/service"
)

// problem is an error that tells which parameter it is of.
type problem struct {
	error
	param string
	code  string // in the place of the one of the table, if there is any
}

// Unwrap returns the error.
func (p *problem) Unwrap() error { return p.error }

// at returns what is wrong with a parameter.
func at(param, format string, args ...any) error {
	return &problem{service.Failure(service.ErrParameter, format, args...), param, ""}
}

// shape returns an error as OpenAI's clients expect it.
func shape(err error, status int, code, text string) any {
	type object struct {
		Message string  `json:"message"`
		Type    string  `json:"type"`
		Param   *string `json:"param"`
		Code    string  `json:"code"`
	}
	out := object{Message: text, Type: "invalid_request_error", Code: code}
	switch {
	case status == http.StatusUnauthorized:
		out.Code = "invalid_api_key"
	case status == http.StatusTooManyRequests:
		out.Type = "rate_limit_error"
	case status >= http.StatusInternalServerError:
		out.Type = "server_error"
	}
	var at *problem
	if errors.As(err, &at) {
		out.Param = &at.param
		if at.code != "" {
			out.Code = at.code
		}
	}
	return struct {
		Error object `json:"error"`
	}{out}
}
