<?php
/**
 * What is kept: one option with all settings, checked before it is stored.
 *
 * @package Flattr_Button
 */

defined( 'ABSPATH' ) || exit;

const FLATTR_BUTTON_OPTION  = 'flattr_button';
const FLATTR_BUTTON_LAYOUTS = array(
	'flat'    => array( 110, 20 ),
	'compact' => array( 110, 20 ),
	'large'   => array( 55, 62 ),
	'icon'    => array( 20, 20 ),
);
const FLATTR_BUTTON_THEMES  = array( '', 'light', 'dark' );
const FLATTR_BUTTON_PLACES  = array( 'after', 'before', 'none' );

/**
 * Returns the settings, with the usual ones where nothing was said.
 *
 * @return array
 */
function flattr_button_settings() {
	$kept = get_option( FLATTR_BUTTON_OPTION );
	return array_merge(
		array(
			'base'   => '',
			'user'   => '',
			'layout' => 'flat',
			'theme'  => '',
			'place'  => 'after',
			'types'  => array( 'post' ),
			'feed'   => true,
			'site'   => '',
			'id'     => '',
		),
		is_array( $kept ) ? $kept : array()
	);
}

/**
 * Says whether the settings name an instance and a person.
 *
 * @return bool
 */
function flattr_button_is_ready() {
	$settings = flattr_button_settings();
	return '' !== $settings['base'] && '' !== $settings['user'];
}

/**
 * Returns what a form said, as far as it can be; what cannot be stays as it was, and is told.
 *
 * @param mixed $said The fields of the form.
 * @return array
 */
function flattr_button_sanitize( $said ) {
	$said = is_array( $said ) ? $said : array();
	$kept = flattr_button_settings();
	$text = static function ( $name ) use ( $said ) {
		return isset( $said[ $name ] ) && is_scalar( $said[ $name ] ) ? sanitize_text_field( (string) $said[ $name ] ) : '';
	};
	return array(
		'base'   => flattr_button_checked(
			$text( 'base' ),
			'#^https?://[^/?\#\s<>"\'@]+(?:/[^?\#\s<>"\'@]*)?$#i',
			$kept['base'],
			__( 'The address of the instance must look like https://flattr.example.', 'flattr-button' )
		),
		'user'   => flattr_button_checked(
			$text( 'user' ),
			'/^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/i',
			$kept['user'],
			__( 'A username has letters, digits, hyphens and underscores only.', 'flattr-button' )
		),
		'site'   => flattr_button_checked(
			$text( 'site' ),
			'/^[0-9a-f]{32}$/',
			$kept['site'],
			__( 'The proof of a site is 32 digits and letters from a to f.', 'flattr-button' )
		),
		'id'     => flattr_button_checked(
			$text( 'id' ),
			'/^[a-z0-9]{6}$/',
			$kept['id'],
			__( 'A Flattr id has six letters and digits.', 'flattr-button' )
		),
		'layout' => isset( FLATTR_BUTTON_LAYOUTS[ $text( 'layout' ) ] ) ? $text( 'layout' ) : 'flat',
		'theme'  => in_array( $text( 'theme' ), FLATTR_BUTTON_THEMES, true ) ? $text( 'theme' ) : '',
		'place'  => in_array( $text( 'place' ), FLATTR_BUTTON_PLACES, true ) ? $text( 'place' ) : 'none',
		'types'  => array_values(
			array_intersect( flattr_button_types(), isset( $said['types'] ) ? (array) $said['types'] : array() )
		),
		'feed'   => ! empty( $said['feed'] ),
	);
}

/**
 * Returns a value that has the form it must have, or is empty; else the one that was there before.
 *
 * @param string $value   What the form said.
 * @param string $pattern The form it must have.
 * @param string $before  What was there before.
 * @param string $message What is wrong with another one.
 * @return string
 */
function flattr_button_checked( $value, $pattern, $before, $message ) {
	$value = untrailingslashit( trim( $value ) );
	if ( '' === $value || preg_match( $pattern, $value ) ) {
		return $value;
	}
	add_settings_error( FLATTR_BUTTON_OPTION, 'flattr_button_' . md5( $message ), $message );
	return $before;
}

/**
 * Returns the types of posts that may carry a button by themselves.
 *
 * @return string[]
 */
function flattr_button_types() {
	return array_values( array_diff( get_post_types( array( 'public' => true ) ), array( 'attachment' ) ) );
}
