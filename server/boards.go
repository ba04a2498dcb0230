package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"trio/ranking"
	"trio/server/board"
	"trio/server/ops"
	"trio/server/store"
)

// Paths of boards and of a sponsor's report, for devices, and of what corporate sees of boards.
const (
	boardsPath  = "/v1/boards"
	teamPath    = "/v1/team"
	companyPath = "/v1/admin/boards"
)

// ownBoards answers a device: what its member is shown.
func ownBoards[T any](ask func(r *http.Request, dev store.Device) (T, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		dev, ok := ops.Caller(r.Context())
		switch {
		case !ok:
			w.Header().Set("WWW-Authenticate", "Bearer")
			ops.Refuse(w, r, http.StatusUnauthorized, "device", "the device token is not known here", "ask your company for a new invitation")
		case dev.Revoked:
			ops.Refuse(w, r, http.StatusForbidden, "revoked", "the access of this device was taken back", "ask for a new invitation")
		case r.URL.RawQuery != "":
			ops.Refuse(w, r, http.StatusBadRequest, "parameter", "no parameter is taken here", "ask without a query")
		default:
			v, err := ask(r, dev)
			tell(w, r, v, err)
		}
	})
}

func (s *Server) boards() http.Handler {
	return ownBoards(func(r *http.Request, dev store.Device) (*board.View, error) {
		return s.board.View(r.Context(), dev.Tenant, dev.Member)
	})
}

func (s *Server) team() http.Handler {
	return ownBoards(func(r *http.Request, dev store.Device) (*board.Team, error) {
		return s.board.Team(r.Context(), dev.Tenant, dev.Member)
	})
}

// companyBoards answers a key of a company: ?week=2026-W47, ?month=2026-11, ?team=MEMBER.
func (s *Server) companyBoards(w http.ResponseWriter, r *http.Request) {
	key, ok := ops.Key(r.Context())
	if !ok {
		w.Header().Set("WWW-Authenticate", "Bearer")
		ops.Refuse(w, r, http.StatusUnauthorized, "key", "the key is not known here", "send the header Authorization: Bearer "+store.APIKeyPrefix+"…")
		return
	}
	var ask board.Choice
	var wrong []string
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		wrong = append(wrong, "what stands behind the question mark cannot be read: "+err.Error())
	}
	for name, values := range query {
		var err error
		switch {
		case len(values) > 1:
			err = errors.New("is given twice")
		case name == "week":
			ask.Week, err = ranking.ParseWeek(values[0])
		case name == "month":
			ask.Month, err = ranking.ParseMonth(values[0])
		case name == "team":
			err = ask.Team.UnmarshalText([]byte(values[0]))
		default:
			err = errors.New("no parameter has this name: want week, month, team")
		}
		if err != nil {
			wrong = append(wrong, strconv.Quote(name[:min(len(name), 40)])+": "+err.Error())
		}
	}
	if len(wrong) > 0 {
		ops.Refuse(w, r, http.StatusBadRequest, "parameter", strings.Join(wrong, "; "), "write it as ?week=2026-W47&month=2026-11&team=MEMBER")
		return
	}
	v, err := s.board.Company(r.Context(), key.Tenant, ask)
	tell(w, r, v, err)
}

// tell answers with JSON, or that it is what the caller has.
func tell(w http.ResponseWriter, r *http.Request, v any, err error) {
	var body []byte
	if err == nil {
		body, err = json.Marshal(v)
	}
	switch {
	case errors.Is(err, board.ErrMember):
		ops.Refuse(w, r, http.StatusNotFound, "member", "there is no such member in this company", "look the member up: trio admin members")
		return
	case r.Context().Err() != nil:
		return
	case err != nil:
		ops.Refuse(w, r, http.StatusServiceUnavailable, "internal", "the server could not do that", "try again; if it stays so, tell support the request's id")
		return
	}
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	w.Header().Set("Cache-Control", "private, no-cache")
	for _, have := range strings.Split(r.Header.Get("If-None-Match"), ",") {
		if strings.TrimPrefix(strings.TrimSpace(have), "W/") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(body) //nolint:errcheck // whoever asked has gone
}
